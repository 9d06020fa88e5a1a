import { defineConfig } from "vite";

// Names carry a content hash, so the server may let browsers keep everything under assets/ for ever.
export default defineConfig({
  base: "./",
  esbuild: { jsx: "automatic", jsxImportSource: "preact", legalComments: "none" },
  build: {
    target: "es2020",
    outDir: "dist",
    assetsDir: "assets",
    chunkSizeWarningLimit: 1700,
    modulePreload: { polyfill: false },
    rollupOptions: {
      input: ["index.html", "api/docs/index.html"], // the viewer page and the description of the API
      output: { manualChunks: { hls: ["hls.js"], swagger_ui: ["swagger-ui-dist/swagger-ui-es-bundle.js"] } },
    },
  },
  server: {
    port: 5173,
    proxy: { "/api/v1": "http://127.0.0.1:8080", "/live": "http://127.0.0.1:8080" },
  },
});
