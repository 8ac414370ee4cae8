/** Where the modules are that run in other threads and processes. They are named by URL and never imported. */
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { TransportError } from '../protocol/errors.js'
import { describeDenial, isDenied } from '../protocol/permission.js'
import { invalidOption } from '../common/call-options.js'
import { version } from '../common/version.js'
import { findInstalledPackage, ownFile, searchedFrom } from './installed-package.js'

/** This module's neighbours find the worker by it: the compiled file, the source, and the package in CommonJS. */
const OWN_FILE = /^(.*)[\\/](?:engine[\\/]shard[\\/]installed-package\.([jt]s)|api[\\/]cjs[\\/][\w-]+\.cjs)$/

/** Configured, or this package's. @throws {TransportError} ERR_INVALID_OPTION; ERR_SHARD_BOOT: it is not there */
export function findWorkerEntry(configured: string | URL | undefined): string {
  if (configured !== undefined) {
    const text = String(configured)
    // Resolved here, since a thread would first look for a relative path beside Piscina's modules.
    return configured instanceof URL || text.startsWith('file:') ? filePath(text) : resolve(text)
  }
  const beside = besideEngine()
  // Checked here: a thread's error would name a file that the host does not know.
  if (beside !== undefined && isThere(beside)) return beside
  return installedEntry()
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
function besideEngine(): string | undefined {
  const here = ownFile()
  // A bundle has another name, and other files around it.
  const [, dist, extension] = OWN_FILE.exec(here ?? '') ?? []
  return dist === undefined ? undefined : join(dist, 'workers', extension === 'ts' ? 'entry.ts' : 'entry.cjs')
}

/** Of the package that a bundle was made of, where that is installed as well. */
function installedEntry(): string {
  const installed = findInstalledPackage()
  if (installed === undefined) {
    const places = searchedFrom().join(' or ')
    throw noWorkerEntry(`symphony-transport is not installed near ${places}`)
  }
  if (installed.version !== version) {
    throw noWorkerEntry(`the bundle has version ${version}, and ${installed.path} version ${installed.version}`)
  }
  const entry = join(installed.path, 'dist', 'workers', 'entry.cjs')
  if (!isThere(entry)) throw noWorkerEntry(`there is no ${entry}`)
  return entry
}

function noWorkerEntry(found: string): TransportError {
  return new TransportError(
    'ERR_SHARD_BOOT',
    `the worker module was not found: ${found}. Install symphony-transport where the bundled host runs, or bundle symphony-transport/worker as an entry of its own and set the workerEntry option to its path: docs/bundling.md shows how.`,
  )
}
