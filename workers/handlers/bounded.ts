/** Waits for the host's work only so long. */
import type { Clock } from '../../engine/protocol/clock.js'

interface Bound {
  readonly clock: Clock
  readonly ms: number
  /** What it rejects with when the time is over. */
  readonly late: () => Error
  /** Ends the wait sooner, with its reason. */
  readonly signal?: AbortSignal
}

/** What becomes of the work after that concerns nobody: if it fails then, it fails unheard. */
export function bounded<Result>(work: Promise<Result>, { clock, ms, late, signal }: Bound): Promise<Result> {
  return new Promise<Result>((resolve, reject) => {
    const onAbort = (): void => fail(signal?.reason as Error)
    const end = (): void => {
      cancel()
      signal?.removeEventListener('abort', onAbort)
    }
    const fail = (error: Error): void => {
      end()
      reject(error)
    }
    const cancel = clock.setTimer(() => fail(late()), ms)
    signal?.addEventListener('abort', onAbort)
    work.then((result) => {
      end()
      resolve(result)
    }, fail)
  })
}
