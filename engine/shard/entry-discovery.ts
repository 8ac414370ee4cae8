/** Where the modules are that run in other threads and processes. They are named by URL and never imported. */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { TransportError } from '../protocol/errors.js'
import { describeDenial, isDenied } from '../protocol/permission.js'
import { invalidOption } from '../common/call-options.js'

/** Configured, or beside the engine. @throws {TransportError} ERR_INVALID_OPTION; ERR_SHARD_BOOT: it is not there */
export function findWorkerEntry(configured: string | URL | undefined): string {
  if (configured !== undefined) {
    const text = String(configured)
    // Resolved here, since a thread would first look for a relative path beside Piscina's modules.
    return configured instanceof URL || text.startsWith('file:') ? filePath(text) : resolve(text)
  }
  let sought: string
  try {
    sought = besideEngine()
  } catch (cause) {
    throw noWorkerEntry('this module does not know where it is', cause)
  }
  // Checked here: a thread's error would name a file that the host does not know.
  if (!isThere(sought)) throw noWorkerEntry(`there is no ${sought}`, undefined)
  return sought
}

function filePath(url: string): string {
  try {
    return fileURLToPath(url)
  } catch {
    throw invalidOption('createEngine()', 'workerEntry', 'it must be a path or a file URL that leads to one')
  }
}

function isThere(path: string): boolean {
  try {
    return existsSync(path)
  } catch (cause) {
    if (!isDenied(cause)) throw cause
    throw new TransportError('ERR_SHARD_BOOT', `looking for the worker module: ${describeDenial(cause)}.`, { cause })
  }
}

/** One CommonJS file (see docs/decisions/entry-discovery.md for the reasons), or TypeScript that a loader runs. */
function besideEngine(): string {
  // Bundlers that write CommonJS leave import.meta empty, and replace import.meta.url where it is written like this.
  const here = (import.meta as Partial<ImportMeta>).url
  const extension = here?.endsWith('.ts') === true ? 'ts' : 'cjs'
  return fileURLToPath(new URL(`../../workers/entry.${extension}`, here))
}

function noWorkerEntry(found: string, cause: unknown): TransportError {
  return new TransportError(
    'ERR_SHARD_BOOT',
    `the worker module was not found: ${found}. In a bundled host, bundle symphony-transport/worker as an entry of its own and set the workerEntry option to its path.`,
    { cause },
  )
}
