/**
 * How both ends find out whether they can share memory, before anything else is said on their socket. Whatever stands
 * in the way on one side (no provider of system calls, another user, another container, no memory left) leads to a
 * connection over the socket; only a peer that does not speak this handshake is an error.
 */
import { trace } from '../common/trace.js'
import type { HandshakeLane } from '../connection/handshake-lane.js'
import type { SocketHandle } from '../internals/socket-handle.js'
import type { NativeMemory } from '../native/native-memory.js'
import { TransportError } from '../protocol/errors.js'
import {
  agreedRingBytes,
  decodeAnswer,
  decodeHello,
  decodeOffer,
  decodeVersions,
  encodeAnswer,
  encodeHello,
  encodeOffer,
  VERSION,
  type Hello,
  type SegmentOffer,
  type Versions,
} from './handshake-messages.js'
import { pidNamespace } from './reach.js'
import { makeSegment, openSegment, type MadeSegment, type Segment } from './segment.js'
import type { SharedLedger } from './shared-ledger.js'

/** What a handshake needs of the lane that it goes over. */
export type MessageLane = Pick<HandshakeLane, 'endpoint' | 'send' | 'sent' | 'receive' | 'duplicate' | 'leave'>

export interface HandshakeParts {
  /** Undefined: this side does not share memory. */
  readonly native: NativeMemory | undefined
  readonly ledger: SharedLedger
  readonly firstRingBytes: number
  readonly mostRingBytes: number
}

/** Undefined: both go on over the socket. Otherwise segment and socket are the caller's, and the shard has neither. */
export type Agreed = { readonly segment: Segment; readonly socket: SocketHandle } | undefined

/** Of the side that dialled. @throws {TransportError} ERR_HANDSHAKE, or as the lane. The lane is the caller's then. */
export async function greet(lane: MessageLane, parts: HandshakeParts): Promise<Agreed> {
  const { native, mostRingBytes } = parts
  lane.send(
    encodeHello({
      byDescriptor: native?.hasMemfd === true,
      byPath: native !== undefined,
      mostRingBytes,
      pidNamespace: pidNamespace(),
      pid: process.pid,
    }),
  )
  const offer = decodeOffer(await lane.receive())
  if (offer === undefined) throw noHandshake(lane.endpoint)
  if (offer.kind === 'refused') throw otherVersion(offer, lane.endpoint)
  if (offer.kind === 'socket') return undefined
  const agreed = native && (await reachSegment(lane, native, offer.segment, parts))
  if (agreed === undefined) {
    lane.send(encodeAnswer('socket'))
    // Whoever gets the connection may destroy it at once, and with it what has not left.
    await lane.sent()
    return undefined
  }
  return take(lane, agreed, () => lane.send(encodeAnswer(offer.segment.at.mode)))
}

/** Of the side that accepted. @throws {TransportError} As `greet()`. */
export async function answer(lane: MessageLane, parts: HandshakeParts): Promise<Agreed> {
  const message = await lane.receive()
  const versions = decodeVersions(message)
  if (versions === undefined) throw noHandshake(lane.endpoint)
  if (versions.lowestVersion > VERSION || versions.highestVersion < VERSION) {
    const refusal = { kind: 'refused', lowestVersion: VERSION, highestVersion: VERSION } as const
    lane.send(encodeOffer(refusal))
    // Until the peer has read it and goes: what has not left would go with the socket.
    await lane.receive().catch(() => undefined)
    throw otherVersion(versions, lane.endpoint)
  }
  const hello = decodeHello(message)
  if (hello === undefined) throw noHandshake(lane.endpoint)
  const offered = await offerSegment(lane, hello, parts)
  if (offered === undefined) {
    lane.send(encodeOffer({ kind: 'socket' }))
    await lane.sent()
    return undefined
  }
  const { made, socket } = offered
  let mode
  try {
    lane.send(encodeOffer({ kind: 'segment', segment: made.offer }))
    mode = decodeAnswer(await lane.receive(), made.offer.at.mode)
    if (mode === undefined) throw noHandshake(lane.endpoint)
  } catch (error) {
    drop({ segment: made.segment, socket })
    throw error
  } finally {
    made.withdraw()
  }
  if (mode !== 'socket') return take(lane, { segment: made.segment, socket }, () => undefined)
  drop({ segment: made.segment, socket })
  return undefined
}

/** Has the shard give the socket up, once what was said has left. */
async function take(lane: MessageLane, agreed: NonNullable<Agreed>, before: () => void): Promise<Agreed> {
  try {
    before()
    // A byte that says "look" may be read by the shard until it has gone: the caller looks once after this.
    await lane.leave()
    return agreed
  } catch (error) {
    drop(agreed)
    throw error
  }
}

async function reachSegment(
  lane: MessageLane,
  native: NativeMemory,
  offer: SegmentOffer,
  { ledger, mostRingBytes }: HandshakeParts,
): Promise<Agreed> {
  if (offer.mostRingBytes > mostRingBytes) throw noHandshake(lane.endpoint)
  const socket = await ownSocket(lane, native, ledger)
  if (socket === undefined) return undefined
  try {
    return { segment: openSegment(native, ledger, offer), socket }
  } catch (error) {
    trace('connection to %s: the segment cannot be used (%s)', lane.endpoint, String(error))
    dropSocket(socket, ledger)
    return undefined
  }
}

async function offerSegment(
  lane: MessageLane,
  hello: Hello,
  { native, ledger, firstRingBytes, mostRingBytes }: HandshakeParts,
): Promise<{ readonly made: MadeSegment; readonly socket: SocketHandle } | undefined> {
  const mode = native && modeFor(hello, native)
  if (native === undefined || mode === undefined) return undefined
  const socket = await ownSocket(lane, native, ledger)
  if (socket === undefined) return undefined
  const most = agreedRingBytes(mostRingBytes, hello.mostRingBytes)
  try {
    return { made: makeSegment(native, ledger, mode, { first: Math.min(firstRingBytes, most), most }), socket }
  } catch (error) {
    trace('connection of %s: no segment can be made (%s)', lane.endpoint, String(error))
    dropSocket(socket, ledger)
    return undefined
  }
}

function modeFor(hello: Hello, native: NativeMemory): 'descriptor' | 'path' | undefined {
  const namespace = pidNamespace()
  const isReachable = namespace !== 0n && hello.pidNamespace === namespace
  if (native.hasMemfd && hello.byDescriptor && isReachable) return 'descriptor'
  return hello.byPath ? 'path' : undefined
}

/** Main's own duplicate. Undefined: there is none to be had, or another user is at the other end. */
async function ownSocket(
  lane: MessageLane,
  native: NativeMemory,
  ledger: SharedLedger,
): Promise<SocketHandle | undefined> {
  const socket = await lane.duplicate()
  if (socket === undefined) return undefined
  ledger.open('duplicates')
  try {
    if (native.peerOf(socket.fd).uid === process.geteuid?.()) return socket
  } catch (error) {
    trace('connection of %s: the peer cannot be told (%s)', lane.endpoint, String(error))
  }
  dropSocket(socket, ledger)
  return undefined
}

/** Segment and socket are of no use any more. */
export function drop({ segment, socket }: NonNullable<Agreed>): void {
  segment.release()
  dropSocket(socket, segment.ledger)
}

function dropSocket(socket: SocketHandle, ledger: SharedLedger): void {
  socket.close()
  ledger.release('duplicates')
}

function noHandshake(endpoint: string): TransportError {
  return new TransportError(
    'ERR_HANDSHAKE',
    `${endpoint}: what the peer said is no handshake. Check that both ends ask for shared memory, and that nothing else listens or connects there.`,
    { endpoint },
  )
}

function otherVersion({ lowestVersion, highestVersion }: Versions, endpoint: string): TransportError {
  return new TransportError(
    'ERR_HANDSHAKE',
    `${endpoint}: the peer speaks versions ${String(lowestVersion)} to ${String(highestVersion)} of the handshake, and this end version ${String(VERSION)}. Use releases of this package that have one in common.`,
    { endpoint },
  )
}
