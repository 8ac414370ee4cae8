/**
 * Where two measured programs meet: a Unix socket in the run's folder, or a named pipe on Windows. Shared memory begins
 * on such a socket, too.
 */
import { rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import process from 'node:process'

/** What carries the engine's frames between two processes, as `--transport` names it. */
export type Transport = 'unix' | 'pipe' | 'shm'

/** What `net` uses on this platform. */
export const SOCKETS = process.platform === 'win32' ? 'pipe' : 'unix'

/** What this platform has. */
export const transports: readonly Transport[] = SOCKETS === 'pipe' ? ['pipe'] : ['unix', 'shm']

const PIPES = '\\\\.\\pipe\\'

/** A free place, in the form that `net` takes. */
export function meetingPlace(folder: string, name: string): string {
  const plain = name.replaceAll(/[^a-z0-9]+/gi, '-')
  // Pipes of all runs share one folder; the run's own has a name that no other has.
  if (SOCKETS === 'pipe') return `${PIPES}${basename(folder)}-${plain}`
  const path = join(folder, `${plain}.sock`)
  rmSync(path, { force: true })
  return path
}

/** The same in the form that the engine takes. */
export function endpointAt(place: string, transport: Transport = SOCKETS): string {
  switch (transport) {
    case 'pipe':
      return place
    case 'unix':
    case 'shm':
      return `${transport}:${place}`
  }
}
