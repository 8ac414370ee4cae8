/** Undocumented, and as old as the cluster module: sockets that are bound only. */
import net from 'node:net'
import { getSystemErrorName } from 'node:util'
import type { SocketHandle } from './socket-handle.js'

interface CreatesServerHandle {
  _createServerHandle(path: string, port: number, addressType: number): SocketHandle | number
}

/** @throws The system's error. */
export function bindHandle(path: string): SocketHandle {
  const handle = (net as unknown as CreatesServerHandle)._createServerHandle(path, -1, -1)
  if (typeof handle !== 'number') return handle
  const code = getSystemErrorName(handle)
  throw Object.assign(new Error(`bind ${code}`), { code, errno: handle, syscall: 'bind' })
}
