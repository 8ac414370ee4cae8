/** What tests must know of the system that they run on. */
import process from 'node:process'

/** Set by `npm run test:windows`. */
export const isWine = process.env['SYMPHONY_UNDER_WINE'] === '1'

/** Wine lets a second server have a pipe's name that is taken; Windows refuses it. */
export const isExclusive = !isWine
