/**
 * What Node's permission model or Deno's permissions deny, and the flag that would allow it. See
 * docs/decisions/permission-model.md and docs/runtimes.md.
 */
import { dirname } from 'node:path'
import process from 'node:process'

const flags: Readonly<Record<string, string>> = {
  FileSystemRead: '--allow-fs-read',
  FileSystemWrite: '--allow-fs-write',
  ChildProcess: '--allow-child-process',
  WorkerThreads: '--allow-worker',
  Net: '--allow-net',
}

/** As Node's errors of this kind have it. */
interface Denial {
  readonly code?: unknown
  readonly permission?: unknown
  readonly resource?: unknown
  readonly syscall?: unknown
}

/** False where Node's permission model denies it, which a look at the path does not tell. */
export function mayWrite(path: string): boolean {
  const { permission } = process as { readonly permission?: { has(scope: string, reference: string): boolean } }
  return permission?.has('fs.write', path) !== false
}

/** What is denied is to make something in a folder, under a name that nobody can know before: the folder counts. */
export function deniedIn(folder: string, error: unknown): unknown {
  return isDenied(error) && !isOfDeno(error) ? Object.assign(error as Error, { resource: folder }) : error
}

export function isDenied(error: unknown): boolean {
  return error instanceof Error && ((error as Denial).code === 'ERR_ACCESS_DENIED' || isOfDeno(error))
}

/** Its message names the flag. */
function isOfDeno(error: unknown): error is Error {
  return error instanceof Error && error.name === 'NotCapable'
}

/** What is forbidden and what to do about it, for a message; only of an error that `isDenied()`. */
export function describeDenial(error: unknown): string {
  if (isOfDeno(error)) return `Deno's permissions forbid it: ${error.message}`
  const { permission, resource, syscall } = error as Denial
  // A connection that is denied says so as a failed call, without the name of the permission.
  const name = typeof permission === 'string' ? permission : syscall === 'connect' ? 'Net' : undefined
  const flag = name === undefined ? undefined : flags[name]
  if (flag === undefined)
    return "Node's permission model forbids it. Start this process with the flags that the cause names"
  const isPath = name?.startsWith('FileSystem') === true && typeof resource === 'string' && resource !== ''
  // What it is to be called is not chosen yet: the folder is what has to be allowed.
  const path = isPath && resource.endsWith('XXXXXX') ? dirname(resource) : resource
  return `Node's permission model forbids it. Start this process with ${flag}${isPath ? `, for ${String(path)}` : ''}`
}
