/** Makes worker threads die, as test/fixtures/faulty-worker.ts can. */
import { once } from 'node:events'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { BroadcastChannel } from 'node:worker_threads'
import type { Engine, EngineOptions } from '../../api/index.js'
import { randomName } from './temporary-folder.js'

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

/** Found by `workerEntry`. */
export const faultyWorker = fileURLToPath(new URL('../fixtures/faulty-worker.js', import.meta.url))

/** How soon a stuck thread is found where a test wants that: no sooner than a busy machine lets a sound one answer. */
const STUCK_TIMEOUT_MS = 250

/** Of an engine whose threads may die in this way, and come back at once. */
export function faultyOptions(fault: Fault = 'exit'): EngineOptions {
  return {
    workerEntry: faultyWorker,
    restart: { max: 1_000, initialDelayMs: 1, maxDelayMs: 1 },
    ...(fault === 'stuck' ? { stuckTimeoutMs: STUCK_TIMEOUT_MS } : {}),
    ...(fault === 'memory' ? { shardHeapMb: 32 } : {}),
  }
}

const name = `symphony-faults-${randomName()}`
process.env['SYMPHONY_FAULTS'] = name
let strikes = 0

/** Threads that are started from here on do not start, in this way; `shard`: only this one, where it can tell. */
export function failBoots(fault: BootFault | undefined, shard?: number): void {
  process.env['SYMPHONY_BOOT_FAULT'] = fault ?? ''
  process.env['SYMPHONY_BOOT_FAULT_SHARD'] = String(shard ?? '')
}

/** Tells the thread to die, and waits for nothing: it may be about to die already, or not be there. */
export function strikeSoon(engine: Engine, shard: number, fault: Fault): void {
  const generation = engine.stats().shards[shard]?.generation ?? 0
  const channel = new BroadcastChannel(name)
  const order: Strike = { kind: 'strike', id: ++strikes, shard, generation, fault }
  channel.postMessage(order)
  channel.close()
}

/**
 * Resolves when the thread has said that it is about to die of this. A stuck one says so too, and from then on takes up
 * no work; somebody has to give it some before it is found.
 */
export async function strike(engine: Engine, shard: number, fault: Fault): Promise<void> {
  const generation = engine.stats().shards[shard]?.generation
  if (generation === undefined) throw new Error(`there is no shard ${String(shard)}`)
  const channel = new BroadcastChannel(name)
  try {
    const order: Strike = { kind: 'strike', id: ++strikes, shard, generation, fault }
    channel.postMessage(order)
    for (;;) {
      const [event] = (await once(channel as unknown as EventTarget, 'message')) as [
        { readonly data: Strike },
      ]
      if (event.data.kind === 'struck' && event.data.id === order.id) return
    }
  } finally {
    channel.close()
  }
}

/** The next message on one of the engine's channels that fits. It is listened for from the call on. */
export function nextEvent<Message extends object>(
  event: string,
  fits: (message: Message) => boolean = () => true,
): Promise<Message> {
  const channel = `symphony-transport:${event}`
  return new Promise((resolve) => {
    const listen = (message: unknown): void => {
      if (!fits(message as Message)) return
      unsubscribe(channel, listen)
      resolve(message as Message)
    }
    subscribe(channel, listen)
  })
}

/** Everything said on some of the engine's channels, in order, until it is stopped. */
export class EventLog {
  readonly lines: { readonly event: string; readonly message: object }[] = []
  readonly #stops: (() => void)[] = []

  constructor(...names: readonly string[]) {
    for (const event of names) {
      const channel = `symphony-transport:${event}`
      const listen = (message: unknown): void => {
        this.lines.push({ event, message: message as object })
      }
      subscribe(channel, listen)
      this.#stops.push(() => {
        unsubscribe(channel, listen)
      })
    }
  }

  of<Message extends object>(event: string): Message[] {
    return this.lines.filter((line) => line.event === event).map(({ message }) => message as Message)
  }

  stop(): void {
    for (const stop of this.#stops) stop()
  }
}
