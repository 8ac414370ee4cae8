/** Connects: does on a shard what the route of the endpoint says. */
import type { Ledger } from '../common/ledger.js'
import type { ConnectionSettings } from '../connection/connection-settings.js'
import type { ConnectionIdentity, LaneConnection } from '../connection/lane-connection.js'
import type { Children } from '../process/children.js'
import { dialChild } from '../process/dial-child.js'
import { dialProcessStdio } from '../process/dial-process-stdio.js'
import { TransportError } from '../protocol/errors.js'
import type { TransportTarget } from '../protocol/target.js'
import type { SharedMemory } from '../shared-memory/shared-memory.js'
import type { Shard } from '../shard/shard.js'
import type { Attempt, DialAttempts } from './dial-attempts.js'
import type { TransportSettings } from './engine-settings.js'
import { traitsOf, type ResolvedEndpoint } from './resolved-endpoint.js'

export class Dialler {
  readonly #attempts: DialAttempts
  readonly #sharedMemory: SharedMemory
  readonly #children: Children
  readonly #ledger: Ledger

  constructor(attempts: DialAttempts, sharedMemory: SharedMemory, children: Children, ledger: Ledger) {
    this.#attempts = attempts
    this.#sharedMemory = sharedMemory
    this.#children = children
    this.#ledger = ledger
  }

  dial(
    endpoint: ResolvedEndpoint,
    settings: ConnectionSettings,
    memory: TransportSettings['memory'],
    wait: { readonly signal?: AbortSignal | undefined; readonly timeoutMs: number },
  ): Promise<LaneConnection> {
    const { kind, text, route } = endpoint
    const { halfClose, hasDescriptor } = traitsOf(endpoint)
    const identity: ConnectionIdentity = { kind, endpoint: text, role: 'dialled', halfClose, hasDescriptor }
    let isShaking = false
    const shake = async (
      shard: Shard,
      attempt: Attempt,
      target: TransportTarget,
      wanted: 'socket' | 'shared',
    ): Promise<LaneConnection | undefined> => {
      const lane = await shard.dialToShake(target, settings, identity, controlOf(attempt))
      const stop = (): void => lane.destroy()
      attempt.stopBy(stop)
      if (attempt.isGivenUp) {
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
    const controlOf = (attempt: Attempt): { onStarted: (abort: () => void) => void; timeoutMs: number } => ({
      onStarted: (abort) => attempt.stopBy(abort),
      timeoutMs: wait.timeoutMs,
    })
    const dial = (shard: Shard, attempt: Attempt): Promise<LaneConnection | undefined> => {
      switch (route.via) {
        case 'target':
          if (memory !== 'none') return shake(shard, attempt, route.target, memory)
          return shard.dial(route.target, settings, identity, controlOf(attempt))
        case 'child':
          return dialChild(shard, route.child, settings, identity, controlOf(attempt), this.#children)
        case 'process-stdio':
          return dialProcessStdio(shard, settings, identity, controlOf(attempt), this.#ledger)
      }
    }
    return this.#attempts.run({ kind, endpoint: text }, wait, {
      dial,
      discard: (connection) => connection.destroy(),
      onTimeout: () => (isShaking ? silentPeer(text, wait.timeoutMs) : undefined),
    })
  }
}

function silentPeer(endpoint: string, timeoutMs: number): TransportError {
  const message = `connecting to ${endpoint}: the socket is connected, and the handshake was not over within ${String(timeoutMs)} ms. The peer may be busy: retry, or allow more time. See that it asks for shared memory too.`
  return new TransportError('ERR_TIMEOUT', message, { endpoint })
}
