import { defineConfig } from "vite";

// Names carry a content hash, so the server may let browsers keep everything under assets/ for ever.
export default defineConfig({
  base: "./",
  esbuild: { jsx: "automatic", jsxImportSource: "preact", legalComments: "none" },
  build: {
    target: "es2020",
    outDir: "dist",
    assetsDir: "assets",
    chunkSizeWarningLimit: 800,
    modulePreload: { polyfill: false },
    rollupOptions: { output: { manualChunks: { hls: ["hls.js"] } } },
  },
  server: {
    port: 5173,
    proxy: { "/api": "http://127.0.0.1:8080", "/live": "http://127.0.0.1:8080" },
  },
});
