/** What tests must know about the system they run on. */
import process from 'node:process'

/** Set by `npm run test:windows`. */
export const isWine = process.env['SYMPHONY_UNDER_WINE'] === '1'

/** Wine lets a second server use the name of a pipe that exists; Windows refuses it. */
export const isExclusive = !isWine
