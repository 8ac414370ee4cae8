/** Where frames lie that are whole and one behind the other in memory. */

/** Few enough that what was looked at to find them is still in the CPU's first cache when they are handed out. */
export const MOST_FRAMES = 256

export class FrameRun {
  /** Where the payload of each begins. */
  readonly offsets = new Int32Array(MOST_FRAMES)
  readonly sizes = new Int32Array(MOST_FRAMES)

  set(index: number, offset: number, size: number): void {
    this.offsets[index] = offset
    this.sizes[index] = size
  }
}

/** One is in use at a time, unless a handler causes another connection's frames to be handed out. */
let spare: FrameRun | undefined

export function takeRun(): FrameRun {
  const run = spare ?? new FrameRun()
  spare = undefined
  return run
}

export function giveRun(run: FrameRun): void {
  spare = run
}
