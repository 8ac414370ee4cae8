/** Undocumented: the libuv handles that `net` keeps behind its sockets and servers. */
import fs from 'node:fs'
import net from 'node:net'
import os from 'node:os'

/** What `readNow()` returns where nothing has come. */
export const NOTHING_CAME = -os.constants.errno.EAGAIN

export interface SocketHandle {
  /** -1 once it is closed, and on Windows. */
  readonly fd: number
  close(): void
}

/** `fd` is -1 once it is closed, and undefined on Windows. */
interface Shell {
  _handle: { readonly fd?: number; setBlocking?(on: boolean): unknown } | null
}

/** `onconnection` is called for each connection. */
interface ServerShell {
  readonly _handle: { onconnection?: unknown } | null
}

function shellOf(socket: net.Socket): Shell {
  return socket as unknown as Shell
}

/** Undefined: it is closed, or has no descriptor. */
export function handleOf(socket: net.Socket): SocketHandle | undefined {
  const handle = shellOf(socket)._handle as SocketHandle | null
  return handle !== null && handle.fd >= 0 ? handle : undefined
}

/**
 * Gives the system what it takes at once; returns how many bytes. 0: the socket is full, or broken. The caller has made
 * sure that the descriptor is still that of the socket.
 */
export function writeNow(fd: number, bytes: Uint8Array, offset: number, length: number): number {
  try {
    return fs.writeSync(fd, bytes, offset, length)
  } catch {
    return 0
  }
}

/**
 * Takes at once what has come; returns how many bytes. 0: the stream has ended. Less: an error of the system, of which
 * NOTHING_CAME is the one where it would have to wait. The caller has made sure that the descriptor is still the
 * socket's.
 */
export function readNow(fd: number, into: Uint8Array): number {
  try {
    return fs.readSync(fd, into)
  } catch (error) {
    return (error as NodeJS.ErrnoException).errno ?? NOTHING_CAME
  }
}

/** Undefined: it is closed, or has none. */
export function descriptorOf(socket: net.Socket): number | undefined {
  const fd = shellOf(socket)._handle?.fd
  return fd === undefined || fd < 0 ? undefined : fd
}

/** Calls on this descriptor block from here on, whichever process makes them. */
export function makeBlocking(socket: net.Socket): void {
  shellOf(socket)._handle?.setBlocking?.(true)
}

/** Options of a socket or terminal that reads into this memory, nothing before `resume()`; its writing side stays. */
export function readerOptions(onread: net.OnReadOpts): net.SocketConstructorOpts {
  const options = { allowHalfOpen: true, manualStart: true, onread }
  return options
}

/**
 * A socket that a `net.Server` made takes no `onread` any more. Its handle is moved into a socket that does; the shell
 * is destroyed so that the server's connection count goes down. Undefined: the handle could not be had, and the
 * accepted socket is as it was. The new socket is paused.
 */
export function moveHandle(accepted: net.Socket, onread: net.OnReadOpts): net.Socket | undefined {
  const shell = shellOf(accepted)
  const handle = shell._handle
  if (handle === null || typeof handle !== 'object') return undefined
  shell._handle = null
  const socket = socketOver(handle, onread)
  accepted.destroy()
  return socket
}

/** A paused socket over a handle that no other has. */
export function socketOver(handle: object, onread: net.OnReadOpts): net.Socket {
  const options = { handle, onread, allowHalfOpen: true, pauseOnCreate: true }
  return new net.Socket(options)
}

/** A handle over the number of a socket, which is the handle's from here on. @throws The system's error, or Node's. */
export function handleOver(fd: number): SocketHandle {
  const shell = new net.Socket({ fd, readable: false, writable: false })
  const handle = handleOf(shell)
  if (handle === undefined) throw new Error('this version of Node keeps no handle in a socket')
  shellOf(shell)._handle = null
  shell.destroy()
  return handle
}

/** Gives `onHandle` each connection without a socket; where Node works otherwise, the server emits 'connection'. */
export function divertHandles(server: net.Server, onHandle: (handle: SocketHandle) => void): void {
  const listening = (server as unknown as ServerShell)._handle
  const usual = listening?.onconnection
  if (listening === null || typeof usual !== 'function') return
  listening.onconnection = function (this: unknown, status: unknown, handle: unknown) {
    if (status === 0 && isHandle(handle)) onHandle(handle)
    else Reflect.apply(usual, this, [status, handle])
  }
}

function isHandle(value: unknown): value is SocketHandle {
  return typeof value === 'object' && value !== null && 'close' in value && 'readStop' in value
}
