/** `npm run test:quick`: what is quick, and what most mistakes break. Files, and folders with all that is in them. */
import config from './ava.config.js'

export default {
  ...config,
  files: [
    'dist/test/architecture.test.js',
    'dist/test/documented.test.js',
    'dist/test/engine/**/*.test.js',
    // They run many processes, which takes a fifth of the time of all.
    '!dist/test/engine/shared-memory/kept-view.test.js',
    '!dist/test/engine/shared-memory/killed-peer.test.js',
    '!dist/test/engine/shared-memory/scribbling-peer.test.js',
    '!dist/test/engine/shared-memory/torture.test.js',
    'dist/test/workers/**/*.test.js',
    'dist/test/contract/local.test.js',
    'dist/test/contract/memory.test.js',
    'dist/test/api/options.test.js',
    'dist/test/api/values.test.js',
  ],
}
