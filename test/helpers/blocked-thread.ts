/** Threads that block themselves: see test/fixtures/blocked-thread.ts. */
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { inspectThread, type ThreadInspection } from '../../engine/internals/thread-inspection.js'
import type { Blocking } from '../fixtures/blocked-thread.js'
import { signal } from './turns.js'

/** V8 loses some requests to pause. */
const ASK_EVERY_MS = 100

/** Resolves when the thread is about to block. */
export async function startBlocked(blocking: Blocking, name = 'blocked'): Promise<Worker> {
  const worker = new Worker(new URL('../fixtures/blocked-thread.js', import.meta.url), { workerData: blocking, name })
  await once(worker, 'message')
  return worker
}

/** Resolves when the thread is paused, by an inspection that is left open. */
export async function startPaused(
  worker: Worker,
  onMessage: (text: string) => void = () => undefined,
): Promise<ThreadInspection> {
  const paused = signal()
  const pause = (): void => inspection?.send({ id: 2, method: 'Debugger.pause' })
  const inspection = await inspectThread(worker.threadId, {
    onGone: () => undefined,
    onMessage(text) {
      onMessage(text)
      if (text.includes('"Debugger.paused"')) paused.resolve()
      else if (text.startsWith('{"id":1,')) pause()
    },
  })
  if (inspection === undefined) throw new Error('the thread cannot be inspected')
  inspection.send({ id: 1, method: 'Debugger.enable', params: {} })
  const timer = setInterval(pause, ASK_EVERY_MS)
  await paused.promise
  clearInterval(timer)
  return inspection
}
