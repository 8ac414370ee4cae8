/** Figures in five characters. */
const STEPS = [
  { from: 1e9, sign: 'G' },
  { from: 1e6, sign: 'M' },
  { from: 1e3, sign: 'k' },
] as const

/** `12.3k` */
export function amount(value: number): string {
  const step = STEPS.find(({ from }) => value >= from * 0.99995)
  if (step === undefined) return value > 0 && value < 9.95 ? value.toFixed(1) : value.toFixed(0)
  const inStep = value / step.from
  return `${inStep.toFixed(inStep < 99.95 ? 1 : 0)}${step.sign}`
}

/** `1.2 MB` without a space: the unit is its last letter. */
export function bytes(value: number): string {
  return `${amount(value)}B`
}

/** Of a part, from 0 to 1. */
export function percent(part: number): string {
  return `${(part * 100).toFixed(0)}%`
}

export function milliseconds(value: number): string {
  return value.toFixed(value < 9.95 ? 2 : value < 99.95 ? 1 : 0)
}
