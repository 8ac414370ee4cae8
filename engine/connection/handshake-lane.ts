/**
 * A lane before there is a connection over it: both ends exchange a few small messages, which decide what carries the
 * frames. It ends in one of three ways: an ordinary connection goes on over the lane, the shard leaves the socket to a
 * duplicate, or all of it is closed.
 */
import { Deferred } from '../common/deferred.js'
import type { SocketHandle } from '../internals/socket-handle.js'
import { memoryFailure } from '../protocol/allocation.js'
import { TransportError } from '../protocol/errors.js'
import type { LaneGrant } from '../protocol/lane.js'
import { intent, lane, life } from '../protocol/ring-layout.js'
import { laneFailure } from './connection-errors.js'
import { Lane, type ConnectionIdentity } from './connection-lane.js'
import type { ConnectionSettings } from './connection-settings.js'
import { InRing } from './in-ring.js'
import type { LaneConnection } from './lane-connection.js'
import type { LaneHost, NotifyHandler } from './lane-host.js'
import { OutRing } from './out-ring.js'

/** The longest message, in bytes. */
const MAX_MESSAGE_BYTES = 512

/** What the owner of the lane does for it. */
export interface HandshakeHost extends LaneHost {
  /** A duplicate of the socket that a lane's bytes leave by, the caller's own. Undefined: there is none to be had. */
  takeDuplicate(laneId: number): Promise<SocketHandle | undefined>
  /** The lane carries a connection from now on. */
  connect(grant: LaneGrant, settings: ConnectionSettings, identity: ConnectionIdentity): LaneConnection
  /** The handshake was all that the lane was for: forget it and take the lane back. */
  releaseUnused(grant: LaneGrant): void
}

type State =
  | { readonly kind: 'open' }
  /** The shard has been told to close its descriptor, and has not done it yet. */
  | { readonly kind: 'closing' }
  /** The lane is given back, or a connection's. */
  | { readonly kind: 'over' }

interface Caller<Value> {
  readonly resolve: (value: Value) => void
  readonly reject: (error: Error) => void
}

const nothing = (): void => undefined

export class HandshakeLane implements NotifyHandler {
  readonly endpoint: string
  readonly shard: number
  readonly #host: HandshakeHost
  readonly #lane: Lane
  readonly #in: InRing
  readonly #out: OutRing
  /** Resolves once the lane is given back; with what was wrong with that. */
  readonly #left = new Deferred<TransportError | undefined>()
  #state: State = { kind: 'open' }
  /** Why nothing is sent or received any more. */
  #refusal: TransportError | undefined
  #reader: Caller<Buffer> | undefined
  #leaving: Caller<void> | undefined

  constructor(host: HandshakeHost, grant: LaneGrant, settings: ConnectionSettings, identity: ConnectionIdentity) {
    this.endpoint = identity.endpoint
    this.shard = host.shard
    this.#host = host
    const ofMessages = { ...settings, maxFrameBytes: MAX_MESSAGE_BYTES, tracking: undefined }
    this.#lane = new Lane(host, grant, ofMessages, identity)
    this.#in = new InRing(this.#lane)
    this.#out = new OutRing(this.#lane, nothing)
    host.keepAlive(true)
  }

  /** Sends a message at once. @throws {TransportError} Why nothing can be sent any more. */
  send(message: Uint8Array): void {
    if (this.#refusal !== undefined) throw this.#refusal
    if (!this.#out.writer.tryWrite(message)) throw new Error('the messages of a handshake are few and small')
    this.#out.publish()
  }

  /**
   * The next message, of at most 512 bytes; one caller at a time. Rejects with ERR_HANDSHAKE: a longer one has come;
   * with ERR_RESET: the peer has ended the connection; as the socket failed; with ERR_SHARD_LOST; with ERR_CLOSED after
   * `destroy()`.
   */
  receive(): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      this.#reader = { resolve, reject }
      this.#serve()
    })
  }

  /** Resolves once the operating system has all that was sent. Rejects as `receive()`, should that come first. */
  sent(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#leaving = { resolve, reject }
      this.#serve()
    })
  }

  /** Main's own duplicate of the socket, for the caller to close. Undefined: there is none to be had. */
  async duplicate(): Promise<SocketHandle | undefined> {
    if (this.#state.kind !== 'open') return undefined
    const handle = await this.#host.takeDuplicate(this.#lane.grant.id)
    if (this.#isOpen) return handle
    handle?.close()
    return undefined
  }

  /**
   * Once all that was sent has left, the shard closes its descriptor; the peer hears nothing of that while a duplicate
   * is open. What comes meanwhile may be lost. Resolves when the shard has closed it, or is dead, and the lane is given
   * back. Rejects with ERR_SHARD_LOST if it has died with a message that the peer may not have.
   */
  async leave(): Promise<void> {
    if (this.#state.kind === 'open') this.#close(intent.LEAVE, handshakeOver(this.endpoint))
    const failure = await this.#left.promise
    if (failure !== undefined) throw failure
  }

  /** An ordinary connection, from the next byte on. @throws {TransportError} Why the lane cannot carry one. */
  connect(settings: ConnectionSettings, identity: ConnectionIdentity): LaneConnection {
    if (this.#refusal !== undefined) throw this.#refusal
    this.#end(handshakeOver(this.endpoint))
    // It reads on behind what was released.
    this.#in.release()
    const connection = this.#host.connect(this.#lane.grant, settings, identity)
    this.#host.keepAlive(false)
    return connection
  }

  /** Closes the socket, also for the peer and whoever has a duplicate, and gives the lane back. */
  destroy(): void {
    if (this.#state.kind !== 'over') this.#close(intent.DESTROY, givenUp(this.endpoint))
  }

  onNotify(): boolean {
    // The lane may be another's by now.
    if (this.#state.kind === 'over') return false
    // LIFE before anything else: what was published before CLOSED is then seen by all that follows.
    const isClosed = this.#lane.load(lane.LIFE) === life.CLOSED
    this.#serve()
    if (isClosed && this.#state.kind === 'closing') this.#release(handshakeOver(this.endpoint))
    return false
  }

  /** The shard is dead, and touches the lane no more. */
  onShardLost(error: TransportError): void {
    if (this.#state.kind === 'over') return
    if (this.#out.pendingBytes > 0) this.#left.resolve(error)
    this.#release(error)
  }

  /** Asked again after each wait. */
  get #isOpen(): boolean {
    return this.#state.kind === 'open'
  }

  #close(wish: number, refusal: TransportError): void {
    this.#state = { kind: 'closing' }
    this.#refuse(refusal)
    // The wish before the look: the shard may have closed it by itself, and does not notify again.
    this.#lane.store(lane.OUT_INTENT, wish)
    if (this.#lane.load(lane.LIFE) === life.CLOSED) this.#release(refusal)
    else this.#lane.notify()
  }

  #release(refusal: TransportError): void {
    this.#end(refusal)
    this.#in.detach(false)
    this.#out.release()
    this.#host.releaseUnused(this.#lane.grant)
    this.#host.keepAlive(false)
  }

  #end(refusal: TransportError): void {
    this.#state = { kind: 'over' }
    this.#refuse(refusal)
    this.#left.resolve(undefined)
  }

  /** The first reason stays. */
  #refuse(error: TransportError): void {
    this.#refusal ??= error
    this.#serve()
  }

  #serve(): void {
    this.#serveLeaving()
    const reader = this.#reader
    if (reader === undefined) return
    try {
      if (this.#refusal !== undefined) throw this.#refusal
      const message = this.#next()
      if (message === undefined) return
      this.#reader = undefined
      reader.resolve(message)
    } catch (error) {
      this.#reader = undefined
      reader.reject(memoryFailure(error, this.endpoint) ?? (error as Error))
    }
  }

  #serveLeaving(): void {
    const leaving = this.#leaving
    if (leaving === undefined) return
    // LIFE before HEAD: nothing leaves after CLOSED.
    const isClosed = this.#lane.load(lane.LIFE) === life.CLOSED
    const hasLeft = this.#refusal === undefined && this.#out.awaitLeft()
    if (this.#refusal === undefined && !hasLeft && !isClosed) return
    this.#leaving = undefined
    if (this.#refusal !== undefined) leaving.reject(this.#refusal)
    else if (hasLeft) leaving.resolve()
    else leaving.reject(this.#howItEnded())
  }

  /** Undefined: it has not come yet, and the shard notifies of it. */
  #next(): Buffer | undefined {
    const { reader } = this.#in
    for (;;) {
      switch (reader.next()) {
        case 'frame': {
          const message = reader.copy()
          reader.done()
          this.#in.release()
          return message
        }
        case 'too-large': {
          const length = String(reader.length)
          throw handshakeFailed(`the peer's message is said to have ${length} bytes`, this.endpoint)
        }
        case 'incomplete': {
          const next = this.#in.awaitMore()
          if (next === 'over') throw this.#howItEnded()
          if (next === 'none yet') return undefined
        }
      }
    }
  }

  #howItEnded(): TransportError {
    const failure = this.#lane.load(lane.FAILURE)
    if (failure === 0) return peerLeft(this.endpoint)
    const { settings } = this.#lane
    return laneFailure(failure, this.#lane.load(lane.FAILURE_CALL), settings.framing, this.#lane.identity)
  }
}

function handshakeFailed(what: string, endpoint: string): TransportError {
  const message = `the handshake failed: ${what}. See that both ends ask for shared memory, and speak the same version.`
  return new TransportError('ERR_HANDSHAKE', message, { endpoint })
}

/** It may have been started anew just then, so that another try helps. */
function peerLeft(endpoint: string): TransportError {
  const message =
    'the peer ended the connection during the handshake. Connect again; if that happens each time, it does not ask for shared memory.'
  return new TransportError('ERR_RESET', message, { endpoint })
}

function handshakeOver(endpoint: string): TransportError {
  return new TransportError('ERR_CLOSED', 'the handshake is over.', { endpoint })
}

function givenUp(endpoint: string): TransportError {
  return new TransportError('ERR_CLOSED', 'the handshake was given up.', { endpoint })
}
