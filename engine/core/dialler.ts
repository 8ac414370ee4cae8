/** Connects: picks a shard, and does there what the route of the endpoint says. */
import type { Ledger } from '../common/ledger.js'
import type { ConnectionSettings } from '../connection/connection-settings.js'
import type { ConnectionIdentity, LaneConnection } from '../connection/lane-connection.js'
import type { Children } from '../process/children.js'
import { dialChild } from '../process/dial-child.js'
import { dialProcessStdio } from '../process/dial-process-stdio.js'
import type { Clock } from '../protocol/clock.js'
import { TransportError } from '../protocol/errors.js'
import { abortError, Waiter } from '../protocol/waiter.js'
import type { TransportTarget } from '../protocol/target.js'
import type { SharedMemory } from '../shared-memory/shared-memory.js'
import type { Shard } from '../shard/shard.js'
import type { Supervisor } from '../shard/supervisor.js'
import type { TransportSettings } from './engine-settings.js'
import { traitsOf, type ResolvedEndpoint } from './resolved-endpoint.js'

export class Dialler {
  readonly #supervisor: Supervisor
  readonly #sharedMemory: SharedMemory
  readonly #children: Children
  readonly #ledger: Ledger
  readonly #clock: Clock
  readonly #pending = new Set<(error: TransportError) => void>()

  constructor(supervisor: Supervisor, sharedMemory: SharedMemory, children: Children, ledger: Ledger, clock: Clock) {
    this.#supervisor = supervisor
    this.#sharedMemory = sharedMemory
    this.#children = children
    this.#ledger = ledger
    this.#clock = clock
  }

  /** How many dials are under way, handshakes included. */
  get pending(): number {
    return this.#pending.size
  }

  /** Rejects all dials that are under way. */
  giveUp(error: TransportError): void {
    for (const giveUp of this.#pending) giveUp(error)
  }

  async dial(
    endpoint: ResolvedEndpoint,
    settings: ConnectionSettings,
    memory: TransportSettings['memory'],
    wait: { readonly signal?: AbortSignal | undefined; readonly timeoutMs: number },
  ): Promise<LaneConnection> {
    const { kind, text, route } = endpoint
    if (wait.signal?.aborted === true) throw abortError('connecting', text, wait.signal.reason)
    let stop = (): void => undefined
    let isShaking = false
    const onTimeout = (): TransportError | undefined => (isShaking ? silentPeer(text, wait.timeoutMs) : undefined)
    const onGivenUp = (): void => stop()
    const what = `connecting to ${text}`
    const waiter = new Waiter<LaneConnection>(what, text, wait, this.#clock, onGivenUp, onTimeout)
    const giveUp = (error: TransportError): void => {
      waiter.reject(error)
      stop()
    }
    this.#pending.add(giveUp)
    const control = {
      onStarted: (abort: () => void) => {
        stop = abort
      },
      timeoutMs: wait.timeoutMs,
    }
    const shake = async (
      shard: Shard,
      target: TransportTarget,
      identity: ConnectionIdentity,
      wanted: 'socket' | 'shared',
    ): Promise<LaneConnection | undefined> => {
      const lane = await shard.dialToShake(target, settings, identity, control)
      stop = () => lane.destroy()
      if (waiter.settled) {
        stop()
        return undefined
      }
      isShaking = true
      try {
        return await this.#sharedMemory.dial(lane, settings, identity, wanted)
      } catch (error) {
        stop()
        throw error
      }
    }
    const dialOn = (shard: Shard): Promise<LaneConnection | undefined> => {
      const { halfClose, hasDescriptor } = traitsOf(endpoint)
      const identity: ConnectionIdentity = { kind, endpoint: text, role: 'dialled', halfClose, hasDescriptor }
      switch (route.via) {
        case 'target':
          if (memory !== 'none') return shake(shard, route.target, identity, memory)
          return shard.dial(route.target, settings, identity, control)
        case 'child':
          return dialChild(shard, route.child, settings, identity, control, this.#children)
        case 'process-stdio':
          return dialProcessStdio(shard, settings, identity, control, this.#ledger)
      }
    }
    const settle = (connection: LaneConnection | undefined): void => {
      // If the caller gave up while the answer was on its way, nothing else closes the connection.
      if (waiter.settled) connection?.destroy()
      else if (connection !== undefined) waiter.resolve(connection)
    }
    // Synchronously if a shard is up, so that connections asked for in one turn spread by what each shard has by then.
    const shard = this.#supervisor.place()
    const dialling = shard === undefined ? this.#dialWhenUp(dialOn, () => waiter.settled) : dialOn(shard)
    dialling.then(settle, (error: unknown) => waiter.reject(error as Error))
    try {
      return await waiter.promise
    } finally {
      this.#pending.delete(giveUp)
    }
  }

  /** Undefined: the dial was given up before a shard came up. */
  async #dialWhenUp(
    dialOn: (shard: Shard) => Promise<LaneConnection | undefined>,
    isGivenUp: () => boolean,
  ): Promise<LaneConnection | undefined> {
    for (;;) {
      const shard = this.#supervisor.place()
      if (shard !== undefined) return dialOn(shard)
      await this.#supervisor.waitForShard()
      if (isGivenUp()) return undefined
    }
  }
}

function silentPeer(endpoint: string, timeoutMs: number): TransportError {
  const message = `connecting to ${endpoint}: the socket is connected, and the handshake was not over within ${String(timeoutMs)} ms. The peer may be busy: retry, or allow more time. See that it asks for shared memory too.`
  return new TransportError('ERR_TIMEOUT', message, { endpoint })
}
