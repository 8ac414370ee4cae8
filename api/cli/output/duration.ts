/** Times in the unit that suits them. */
const STEPS = [
  { unit: 'us', nanoseconds: 1e3 },
  { unit: 'ms', nanoseconds: 1e6 },
  { unit: 's', nanoseconds: 1e9 },
] as const

/** Of nanoseconds, with three digits. */
export function duration(nanoseconds: number): string {
  const step = STEPS.findLast((each) => nanoseconds >= each.nanoseconds) ?? STEPS[0]
  const value = nanoseconds / step.nanoseconds
  return `${value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0)} ${step.unit}`
}
