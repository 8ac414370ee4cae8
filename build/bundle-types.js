/** Runs after the compiler: declarations of what hosts import and of nothing else, in dist/types/. */
import fs from 'node:fs'
import { rollup } from 'rollup'
import { dts } from 'rollup-plugin-dts'
import { compiledEntries } from './package-entries.js'

/** What a host needs besides: the compiler names it then, and not only what is missing of it. */
const banner = '/// <reference types="node" />\n/// <reference lib="esnext.disposable" />'
const dir = 'dist/types'

fs.rmSync(dir, { recursive: true, force: true })
const bundle = await rollup({
  input: compiledEntries('.d.ts'),
  external: (name) => !/^[./]/.test(name),
  plugins: [dts()],
  onLog: (level, log) => {
    throw new Error(`${level}: ${log.message}`)
  },
})
// One set for each kind of module: declarations of an ES module are none for what is required.
for (const ending of ['d.ts', 'd.cts']) {
  await bundle.write({
    dir,
    banner,
    entryFileNames: `[name].${ending}`,
    chunkFileNames: ({ name }) => `shared/${name.replace(/\.d$/, '')}.${ending}`,
  })
}
await bundle.close()
