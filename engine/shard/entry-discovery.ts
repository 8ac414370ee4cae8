/** Where the modules are that run in other threads and processes. They are named by URL and never imported. */
import { fileURLToPath } from 'node:url'

/** The worker's entry: configured (for bundled hosts), or beside the compiled engine. */
export function findWorkerEntry(configured: string | URL | undefined): string {
  if (configured === undefined) return fileURLToPath(new URL('../../workers/entry.js', import.meta.url))
  const text = String(configured)
  return text.startsWith('file:') ? fileURLToPath(text) : text
}

/** The helper process that makes duplicates of a bound socket. */
export function findDuplicatorEntry(): string {
  return fileURLToPath(new URL('../../workers/duplicator.js', import.meta.url))
}
