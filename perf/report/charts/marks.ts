/** The marks of contenders outside of charts, as paths in a square of 12. */
import type { Style } from './theme.js'

export const outlines: Readonly<Record<Style['mark'], string>> = {
  circle: 'M1.8 6a4.2 4.2 0 1 1 8.4 0 4.2 4.2 0 1 1-8.4 0z',
  rect: 'M2.2 2.2h7.6v7.6H2.2z',
  triangle: 'M6 1.8 10.6 10H1.4z',
  diamond: 'M6 1 11 6 6 11 1 6z',
}
