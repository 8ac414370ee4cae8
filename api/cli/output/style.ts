/** Colours, where the terminal has them. */
import type { Terminal } from '../terminal.js'

type Paint = (text: string) => string

export interface Style {
  readonly bold: Paint
  readonly dim: Paint
  readonly red: Paint
  readonly green: Paint
  readonly yellow: Paint
}

/** What sets each, and what takes it back. */
const codes = { bold: [1, 22], dim: [2, 22], red: [31, 39], green: [32, 39], yellow: [33, 39] } as const

export function styleOf({ hasColours }: Pick<Terminal, 'hasColours'>): Style {
  const paint =
    ([on, off]: readonly [number, number]): Paint =>
    (text) =>
      hasColours ? `\u001b[${String(on)}m${text}\u001b[${String(off)}m` : text
  return {
    bold: paint(codes.bold),
    dim: paint(codes.dim),
    red: paint(codes.red),
    green: paint(codes.green),
    yellow: paint(codes.yellow),
  }
}
