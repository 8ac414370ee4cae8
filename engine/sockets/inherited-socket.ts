/**
 * Unix sockets that the process was started with, by the numbers of their descriptors: main has each as it has a socket
 * that it binds. Looked at before it is taken: a number may as well be that of a file, or of something of Node's own.
 */
import fs from 'node:fs'
import { openHandle } from '../internals/bound-handle.js'
import type { SocketHandle } from '../internals/socket-handle.js'
import { TransportError, type TransportErrorCode } from '../protocol/errors.js'

/**
 * `kept`: a `listen()` has failed, and the handle waits for the next. Nothing in Node takes a number from a handle but
 * closing it, and this one is not the engine's to close before a listener has had it. The inode is the socket's: a
 * number that has another by now was closed by somebody else, and is a stranger's.
 */
type Taken =
  | { readonly kind: 'listening'; readonly inode: bigint }
  | { readonly kind: 'kept'; readonly handle: SocketHandle; readonly inode: bigint }

/** Of all engines of this thread. */
const taken = new Map<number, Taken>()

/** As Linux lists a socket on which `listen()` was called. */
const LISTENING = 0x1_0000

/** The handle of a descriptor, until `close` or `keep`. @throws {TransportError} It cannot be listened on. */
export function takeInherited(fd: number, endpoint: string): SocketHandle {
  const before = taken.get(fd)
  if (before?.kind === 'listening') {
    const advice = 'Close that listener, or give each its own descriptor.'
    throw refuse('ERR_ADDRESS_IN_USE', endpoint, `a listener of this process has it already. ${advice}`)
  }
  const inode = inodeOf(fd, endpoint)
  const handle = before?.inode === inode ? before.handle : open(fd, inode, endpoint)
  taken.set(fd, { kind: 'listening', inode })
  return handle
}

/** The listener is closed. Processes that have the socket too keep it, and nothing happens to its file. */
export function closeInherited(fd: number, handle: SocketHandle): void {
  const inode = taken.get(fd)?.inode
  taken.delete(fd)
  // A handle whose number is a stranger's stays, unused.
  if (inode !== undefined && statOf(fd)?.ino === inode) handle.close()
}

/** There will be no listener: the descriptor stays open. */
export function keepInherited(fd: number, handle: SocketHandle): void {
  const inode = taken.get(fd)?.inode
  if (inode !== undefined) taken.set(fd, { kind: 'kept', handle, inode })
}

/** Undefined: the number is not open. */
function statOf(fd: number): fs.BigIntStats | undefined {
  try {
    return fs.fstatSync(fd, { bigint: true })
  } catch {
    return undefined
  }
}

function open(fd: number, inode: bigint, endpoint: string): SocketHandle {
  if (isKnownNotToListen(inode)) {
    const advice = 'Pass one on which the parent has called listen().'
    throw refuse('ERR_NOT_A_SOCKET', endpoint, `that socket does not listen. ${advice}`)
  }
  try {
    return openHandle(fd)
  } catch (cause) {
    const isUsed = (cause as NodeJS.ErrnoException).code === 'EEXIST'
    if (isUsed) throw refuse('ERR_ADDRESS_IN_USE', endpoint, 'Node uses that descriptor for something else.', cause)
    const advice = 'TCP, datagram and seqpacket sockets cannot be listened on here.'
    throw refuse('ERR_NOT_A_SOCKET', endpoint, `that is no Unix stream socket. ${advice}`, cause)
  }
}

function inodeOf(fd: number, endpoint: string): bigint {
  let found: fs.BigIntStats
  try {
    found = fs.fstatSync(fd, { bigint: true })
  } catch (cause) {
    const advice = 'Check that the parent passes it. A listener that is closed has closed its descriptor.'
    throw refuse('ERR_INVALID_ENDPOINT', endpoint, `no such descriptor is open. ${advice}`, cause)
  }
  if (found.isSocket()) return found.ino
  throw refuse('ERR_NOT_A_SOCKET', endpoint, 'that descriptor is no socket. Check what the parent passes, and where.')
}

/**
 * By the list that Linux keeps of the Unix sockets of a network namespace. One that is not in it is of another
 * namespace, as with PrivateNetwork= of systemd, or is no Unix socket: what is wrong with it then shows later.
 */
function isKnownNotToListen(inode: bigint): boolean {
  let list: string
  try {
    list = fs.readFileSync('/proc/net/unix', 'latin1')
  } catch {
    // Another system, or not allowed.
    return false
  }
  // Num RefCount Protocol Flags Type St Inode Path
  const row = new RegExp(`^\\S+ \\S+ \\S+ (\\S+) \\S+ (\\S+) +${String(inode)}\\b`, 'm').exec(list)
  if (row === null) return false
  const [, flags = '', state = ''] = row
  // One that is bound only is as good: each shard calls listen() anyway. 1 is unconnected.
  return (parseInt(flags, 16) & LISTENING) === 0 && state !== '01'
}

function refuse(code: TransportErrorCode, endpoint: string, message: string, cause?: unknown): TransportError {
  return new TransportError(code, `listening on ${endpoint}: ${message}`, { cause, endpoint })
}
