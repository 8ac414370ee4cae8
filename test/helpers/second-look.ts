/**
 * The critical point of a wait over shared memory: before the waiting side has stored its wish. It is held up there
 * once, so that the other side can do all that it would be woken for. If it is `blind` its second look is left out:
 * until the turn ends, it loads what it loaded before.
 */
import { HEADER_BYTES } from '../../engine/shared-memory/segment-layout.js'

const HEADER_WORDS = HEADER_BYTES / Int32Array.BYTES_PER_ELEMENT

type Atomic = (words: Int32Array, at: number, value: number) => number

export interface Wait {
  /** Word of the header that is stored first. */
  readonly wish: number
  /** Word that is looked at before and after. */
  readonly look: number
  readonly isBlind: boolean
  /** Blocks. */
  readonly hold: (header: Int32Array) => void
}

/** Of the next wait. */
export function holdNextWait({ wish, look, isBlind, hold }: Wait): void {
  const { load, store } = Atomics as unknown as { load: Atomic; store: Atomic }
  let known: number | undefined
  const restore = (): void => {
    Reflect.set(Atomics, 'load', load)
    Reflect.set(Atomics, 'store', store)
  }
  Reflect.set(Atomics, 'load', (words: Int32Array, at: number) => {
    if (known !== undefined && words.length === HEADER_WORDS && at === look) return known
    return load(words, at, 0)
  })
  Reflect.set(Atomics, 'store', (words: Int32Array, at: number, value: number) => {
    if (words.length === HEADER_WORDS && at === wish && known === undefined) {
      known = load(words, look, 0)
      hold(words)
      if (isBlind) setImmediate(restore)
      else restore()
    }
    return store(words, at, value)
  })
}
