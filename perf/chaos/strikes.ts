/** Makes worker threads die, as faulty-worker.ts can. */
import { once } from 'node:events'
import process from 'node:process'
import { randomBytes } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { BroadcastChannel } from 'node:worker_threads'
import type { Engine, EngineOptions } from '../../api/index.js'

/** A way to die. */
export type Fault = 'throw' | 'rejection' | 'exit' | 'memory' | 'stuck'

export const everyFault: readonly Fault[] = ['throw', 'rejection', 'exit', 'memory', 'stuck']

/** A way not to start. */
export type BootFault = 'throws' | 'throws when called' | 'exits' | 'returns' | 'stuck' | 'waits'

export interface Strike {
  readonly kind: 'strike' | 'struck'
  readonly id: number
  readonly shard: number
  readonly generation: number
  readonly fault: Fault
}

/** For `workerEntry`. */
export const faultyWorker = fileURLToPath(new URL('./faulty-worker.cjs', import.meta.url))

/**
 * How soon a stuck thread is found in tests that want that. Shorter would accuse a healthy thread on a busy machine.
 */
const STUCK_TIMEOUT_MS = 250

/** For an engine whose threads can be killed in this way, and come back at once. */
export function faultyOptions(fault: Fault = 'exit'): EngineOptions {
  return {
    workerEntry: faultyWorker,
    restart: { max: 1_000, initialDelayMs: 1, maxDelayMs: 1 },
    ...(fault === 'stuck' ? { stuckTimeoutMs: STUCK_TIMEOUT_MS } : {}),
    ...(fault === 'memory' ? { shardHeapMb: 32 } : {}),
  }
}

const name = `symphony-faults-${randomBytes(6).toString('hex')}`
process.env['SYMPHONY_FAULTS'] = name
let strikes = 0

/** Tells the thread to die, without waiting: it may be dying already, or not exist. */
export function strikeSoon(engine: Engine, shard: number, fault: Fault): void {
  const generation = engine.stats().shards[shard]?.generation ?? 0
  const channel = new BroadcastChannel(name)
  const order: Strike = { kind: 'strike', id: ++strikes, shard, generation, fault }
  channel.postMessage(order)
  channel.close()
}

/**
 * Resolves when the thread has announced this death. A stuck thread announces it too, and takes up no work from then
 * on; it is found only once it is given some. A thread that dies for another reason announces nothing: `signal` ends
 * the wait, with an AbortError.
 */
export async function strike(
  engine: Engine,
  shard: number,
  fault: Fault,
  signal: AbortSignal = new AbortController().signal,
): Promise<void> {
  const generation = engine.stats().shards[shard]?.generation
  if (generation === undefined) throw new Error(`there is no shard ${String(shard)}`)
  const channel = new BroadcastChannel(name)
  try {
    const order: Strike = { kind: 'strike', id: ++strikes, shard, generation, fault }
    channel.postMessage(order)
    for (;;) {
      const [event] = (await once(channel as unknown as EventTarget, 'message', { signal })) as [
        { readonly data: Strike },
      ]
      if (event.data.kind === 'struck' && event.data.id === order.id) return
    }
  } finally {
    channel.close()
  }
}
