/** The wire of node-ipc: `{"type": …, "data": …}`, each ended by a form feed. Its peers stay as they are. */
import { checkHandler, invalidOption } from '../../engine/common/call-options.js'
import { isThenable } from '../../engine/common/handler-failures.js'
import { readOptions } from '../../engine/common/option-problems.js'
import { systemClock } from '../../engine/protocol/clock.js'
import type { WaitOptions } from '../../engine/protocol/waiter.js'
import type { Adaptable } from './adaptable.js'
import { assertConnection } from './arguments.js'
import { jsonChecks, JsonFrames, type JsonOptions } from './json/json.js'

/** Options that a transport needs to speak to node-ipc: `engine.transport('unix:/tmp/app.world', nodeIpcFraming)`. */
export const nodeIpcFraming = { framing: 'line', delimiter: '\f' } as const

export interface NodeIpcMessage {
  readonly type: string
  readonly data: unknown
}

export type NodeIpcOptions = Pick<JsonOptions, 'onInvalid' | 'maxDepth'>

/** Gets the data of a message, which is whatever the peer sent. */
export type NodeIpcListener = (data: unknown) => unknown

/**
 * Messages by their type. Whether the connection is there, and why it ended, is no message: see `closed`. Types such as
 * `connect` and `error` are only what the peer has sent by that name.
 */
export interface NodeIpcConnection {
  /** As of the connection. */
  readonly closed: Adaptable['closed']

  /**
   * Sends a message; without data it is `{}`. True: go on; false: call `ready()` before sending more.
   * @throws {TransportError} ERR_INVALID_OPTION for a type that is no text, ERR_INVALID_FRAME for what JSON cannot say,
   * and all that `send()` of the connection throws
   */
  emit(type: string, data?: unknown): boolean

  /**
   * Calls `listener` with the data of each message of this type. The first call begins to read the connection; messages
   * of types that no one listens to are dropped. A promise that is returned holds the next message back. One that
   * throws or rejects destroys the connection with ERR_HANDLER.
   * @throws {TransportError} ERR_INVALID_OPTION, ERR_CONSUMER_BUSY
   */
  on(type: string, listener: NodeIpcListener): this

  /** As `on()`, for one message. */
  once(type: string, listener: NodeIpcListener): this

  /** Takes a listener away; without one, all of this type. */
  off(type: string, listener?: NodeIpcListener): this

  /** As of the connection. */
  ready(options?: WaitOptions): Promise<void>

  /** As of the connection: everything that was sent leaves. */
  close(): Promise<void>

  /** As of the connection. */
  destroy(reason?: Error): void
}

/**
 * The transport needs `nodeIpcFraming`, and the peer its default `rawBuffer: false`. A frame that is no message
 * destroys the connection with ERR_INVALID_MESSAGE, unless `onInvalid` takes it.
 * @throws {TransportError} ERR_INVALID_OPTION
 */
export function toNodeIpc(connection: Adaptable, options: NodeIpcOptions = {}): NodeIpcConnection {
  assertConnection(connection, 'toNodeIpc()')
  const { onInvalid, maxDepth } = jsonChecks
  return new NodeIpc(connection, readOptions<NodeIpcOptions>(options, { onInvalid, maxDepth }, 'toNodeIpc()'))
}

interface Listening {
  readonly listener: NodeIpcListener
  readonly isOnce: boolean
}

class NodeIpc implements NodeIpcConnection {
  readonly closed: Adaptable['closed']
  readonly #json: JsonFrames<NodeIpcMessage, NodeIpcMessage>
  /** By type. A list is never changed, so that one may go on over it while its listeners come and go. */
  readonly #listeners = new Map<string, readonly Listening[]>()
  #isReading = false

  constructor(connection: Adaptable, options: NodeIpcOptions) {
    this.closed = connection.closed
    this.#json = new JsonFrames(connection, { ...options, validate: messageOf }, systemClock)
  }

  emit(type: string, data: unknown = {}): boolean {
    return this.#json.send({ type: checkType(type, 'emit()'), data })
  }

  on(type: string, listener: NodeIpcListener): this {
    return this.#add(type, { listener: checkHandler(listener, 'on()'), isOnce: false })
  }

  once(type: string, listener: NodeIpcListener): this {
    return this.#add(type, { listener: checkHandler(listener, 'once()'), isOnce: true })
  }

  off(type: string, listener?: NodeIpcListener): this {
    this.#keep(type, (one) => listener !== undefined && one.listener !== listener)
    return this
  }

  ready(options?: WaitOptions): Promise<void> {
    return this.#json.ready(options)
  }

  close(): Promise<void> {
    return this.#json.close()
  }

  destroy(reason?: Error): void {
    this.#json.destroy(reason)
  }

  #add(type: string, listening: Listening): this {
    const key = checkType(type, 'on()')
    if (!this.#isReading) this.#json.subscribe((message) => this.#hand(message))
    this.#isReading = true
    this.#listeners.set(key, [...(this.#listeners.get(key) ?? []), listening])
    return this
  }

  #hand({ type, data }: NodeIpcMessage): Promise<unknown> | undefined {
    const listeners = this.#listeners.get(type)
    if (listeners === undefined) return undefined
    if (listeners.some(({ isOnce }) => isOnce)) this.#keep(type, ({ isOnce }) => !isOnce)
    const pending: Promise<unknown>[] = []
    try {
      for (const { listener } of listeners) {
        const result = listener(data)
        if (isThenable(result)) pending.push(Promise.resolve(result))
      }
    } catch (cause) {
      // One failure is reported, and no other goes unheard.
      Promise.all(pending).catch(() => undefined)
      throw cause
    }
    return pending.length === 0 ? undefined : Promise.all(pending)
  }

  #keep(type: string, isKept: (listening: Listening) => boolean): void {
    const kept = (this.#listeners.get(type) ?? []).filter(isKept)
    if (kept.length === 0) this.#listeners.delete(type)
    else this.#listeners.set(type, kept)
  }
}

function checkType(type: unknown, where: string): string {
  if (typeof type !== 'string') throw invalidOption(where, 'type', 'it must be a string')
  return type
}

function messageOf(value: unknown): NodeIpcMessage {
  if (typeof value !== 'object' || value === null || !('type' in value) || typeof value.type !== 'string')
    throw new TypeError('a message of node-ipc is an object with a type')
  return { type: value.type, data: 'data' in value ? value.data : undefined }
}
