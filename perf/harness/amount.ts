/** How much a round does. */
export interface Amount {
  /** So many of them, unless it is to take some time. */
  readonly count: number
  /** As many as take about so long. */
  readonly seconds?: number | undefined
}

/** `perSecond`: what the warm-up did. */
export function countFor({ count, seconds }: Amount, perSecond: number): number {
  return seconds === undefined ? count : Math.max(1, Math.round(seconds * perSecond))
}
