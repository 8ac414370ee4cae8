/** Undocumented, and as old as the cluster module: sockets that are bound only, or that another process has opened. */
import net from 'node:net'
import os from 'node:os'
import { getSystemErrorName } from 'node:util'
import type { SocketHandle } from './socket-handle.js'

interface CreatesServerHandle {
  _createServerHandle(path: string, port: number, addressType: number): SocketHandle | number
  _createServerHandle(path: null, port: 0, addressType: null, fd: number): SocketHandle | number
}

/** @throws The system's error. */
export function bindHandle(path: string): SocketHandle {
  return made((net as unknown as CreatesServerHandle)._createServerHandle(path, -1, -1), 'bind')
}

/**
 * A handle over the number of a Unix stream socket, which is the handle's from here on.
 * @throws The system's error: EINVAL where it is another socket, EEXIST where another handle uses it.
 */
export function openHandle(fd: number): SocketHandle {
  const handle = (net as unknown as CreatesServerHandle)._createServerHandle(null, 0, null, fd)
  // A TCP socket. The handle would close it, and it is not ours: so it stays, unused.
  const isOther = typeof handle !== 'number' && handle.constructor.name !== 'Pipe'
  return made(isOther ? -os.constants.errno.EINVAL : handle, 'open')
}

function made(handle: SocketHandle | number, syscall: string): SocketHandle {
  if (typeof handle !== 'number') return handle
  const code = getSystemErrorName(handle)
  throw Object.assign(new Error(`${syscall} ${code}`), { code, errno: handle, syscall })
}
