/** Keeps this thread from its event loop for some time, again and again, with rests between. */
import type { Block, BlockOrder } from '../harness/messages.js'
import { monotonicMs } from '../harness/monotonic.js'

export class MainBlocks {
  #blocks: Block[] = []
  #timer: NodeJS.Timeout | undefined

  begin({ blockMs, restMs }: BlockOrder): void {
    this.#blocks = []
    const next = (): void => {
      this.#timer = setTimeout(() => {
        this.#blocks.push(blockFor(blockMs))
        next()
      }, restMs)
    }
    next()
  }

  /** @returns Each block since the beginning. */
  end(): readonly Block[] {
    clearTimeout(this.#timer)
    return this.#blocks
  }
}

/** Returns when it is over. */
export function blockFor(milliseconds: number): Block {
  const from = monotonicMs()
  let to = from
  while (to - from < milliseconds) to = monotonicMs()
  return { from, to }
}
