// Preloaded into the suite's client: what configures the suite's own origin goes to it and not through the cache.
import http from 'node:http'

const cache = new URL(process.env.npm_config_base)
const origin = new URL(process.env.SUITE_ORIGIN)
const isForOrigin = path => path.startsWith('/config/') || path.startsWith('/state/')
const asked = http.request

http.request = function (options, ...rest) {
  const path = options.path ?? options.pathname ?? ''
  if (isForOrigin(path) && String(options.port) === cache.port) return asked.call(this, { ...options, host: origin.hostname, hostname: origin.hostname, port: origin.port }, ...rest)
  return asked.call(this, options, ...rest)
}
