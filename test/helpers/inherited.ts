/** Sockets as a parent passes them: their numbers, each without a handle of this process that would use it. */
import fs from 'node:fs'
import { bindHandle } from '../../engine/internals/bound-handle.js'
import type { SocketHandle } from '../../engine/internals/socket-handle.js'

/** They have numbers that are an engine's to close, so nothing may close them. */
const handles: SocketHandle[] = []

/** The number of a socket that is bound to this path. */
export function boundSocket(path: string): number {
  const handle = bindHandle(path)
  handles.push(handle)
  return handle.fd
}

export function isOpen(fd: number): boolean {
  try {
    fs.fstatSync(fd)
    return true
  } catch {
    return false
  }
}
