/**
 * The clock that hops are measured by, in ticks of a tenth of a microsecond. All threads of the machine have it in
 * common; `performance.now()` counts from another moment in each.
 */

export type HopClock = () => number

/** A whole number. */
export const hopClock: HopClock = () => {
  const [seconds, nanos] = process.hrtime()
  return seconds * 1e7 + Math.round(nanos / 100)
}

export const TICKS_A_MICRO = 10

/** The difference of two times is right up to this, if all that is left of one of them are 32 bits. */
export const MOST_TICKS = 0x7fff_ffff

/** A time of which 32 bits are left, less than `MOST_TICKS` away from another one. */
export function timeNear(bits: number, other: number): number {
  return other + ((bits - other) | 0)
}
