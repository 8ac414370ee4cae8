/** What the schemas of several options have in common. */
import * as v from 'valibot'
import { LONGEST_TIMER_MS } from '../engine/common/call-options.js'

/** A time that a timer can keep. */
export const time = (least: number) => v.pipe(v.number(), v.minValue(least), v.maxValue(LONGEST_TIMER_MS))
export const milliseconds = (fallback: number, least = 0) => v.optional(time(least), fallback)

export const integerFrom = (least: number, most: number) =>
  v.pipe(v.number(), v.integer(), v.minValue(least), v.maxValue(most))
export const integer = (least: number, most: number, fallback: number) => v.optional(integerFrom(least, most), fallback)

export const inlineWrites = v.picklist(['auto', 'never'])
export const inlineWriteBytes = integerFrom(64, 65_536)

export const callback = <Fn extends (...args: never[]) => unknown>() =>
  v.custom<Fn>((value) => typeof value === 'function', 'a function')
