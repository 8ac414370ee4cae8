/** A folder for a test's sockets: a random name, short enough for the path limit, removed with its content. */
import { randomBytes } from 'node:crypto'
import fs from 'node:fs/promises'
import os from 'node:os'
import { join } from 'node:path'

export interface TemporaryFolder {
  readonly path: string
  /** An unused path. */
  socketPath(): string
  /** An unused endpoint: a socket in it, or on Windows a pipe. */
  endpoint(): string
  /** What lies in it, hidden files too. */
  list(): Promise<string[]>
  remove(): Promise<void>
}

export async function makeTemporaryFolder(): Promise<TemporaryFolder> {
  const path = await fs.mkdtemp(join(os.tmpdir(), 'st-'))
  const socketPath = (): string => join(path, `${randomName()}.sock`)
  return {
    path,
    socketPath,
    endpoint: () => (process.platform === 'win32' ? `pipe:${randomName()}` : `unix:${socketPath()}`),
    list: () => fs.readdir(path),
    remove: () => fs.rm(path, { recursive: true, force: true }),
  }
}

export function randomName(): string {
  return `t${randomBytes(6).toString('hex')}`
}

/** Where `net` finds what `endpoint()` gave. */
export function pathOf(endpoint: string): string {
  return endpoint.replace(/^unix:/, '').replace(/^pipe:/, '\\\\.\\pipe\\')
}
