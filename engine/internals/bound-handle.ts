/** Undocumented, and as old as the cluster module: sockets that are bound only, and handles sent to other processes. */
import type { ChildProcess } from 'node:child_process'
import net from 'node:net'
import { getSystemErrorName } from 'node:util'

export interface BoundHandle {
  readonly fd: number
  close(): void
}

interface CreatesServerHandle {
  _createServerHandle(path: string, port: number, addressType: number): BoundHandle | number
}

/** @throws The system's error. */
export function bindHandle(path: string): BoundHandle {
  const handle = (net as unknown as CreatesServerHandle)._createServerHandle(path, -1, -1)
  if (typeof handle !== 'number') return handle
  const code = getSystemErrorName(handle)
  throw Object.assign(new Error(`bind ${code}`), { code, errno: handle, syscall: 'bind' })
}

/** Sends a message with a duplicate of the handle. */
export function sendHandle(
  child: ChildProcess,
  message: object,
  handle: BoundHandle,
  onSent: (error: Error | null) => void,
): void {
  child.send(message, handle as unknown as net.Server, { keepOpen: true }, onSent)
}

/** Calls back for each message with the handle that came with it, if one did: a duplicate of what was sent. */
export function onHandle(child: ChildProcess, callback: (handle: BoundHandle | undefined) => void): void {
  child.on('message', (_, handle) => callback(handle as unknown as BoundHandle | undefined))
}
