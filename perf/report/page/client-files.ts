/** What runs in the page, bundled when a page is written: no other command waits for it. */
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

/** Of the sources: the compiler takes none of them, since they are for browsers. */
export function clientFile(name: string): string {
  return fileURLToPath(new URL(`../../../../perf/report/client/${name}`, import.meta.url))
}

let bundled: Promise<string> | undefined

/** Bundled once. */
export function clientScript(): Promise<string> {
  bundled ??= bundle()
  return bundled
}

async function bundle(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [clientFile('page.ts')],
    bundle: true,
    minify: true,
    write: false,
    format: 'iife',
    target: 'es2022',
    platform: 'browser',
    legalComments: 'eof',
    logLevel: 'error',
  })
  return (outputFiles[0]?.text ?? '').replace(/<\/script/gi, '<\\/script')
}
