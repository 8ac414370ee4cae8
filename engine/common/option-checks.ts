/** Checks of single options: undefined where all is well, else what the value has to be. */

export const flagCheck = (value: unknown): string | undefined =>
  typeof value === 'boolean' ? undefined : 'true or false'

export const functionCheck = (value: unknown): string | undefined =>
  typeof value === 'function' ? undefined : 'a function'

/** `unit`: with a space in front. */
export function integerCheck(from: number, to: number, unit = ''): (value: unknown) => string | undefined {
  return (value) =>
    Number.isSafeInteger(value) && (value as number) >= from && (value as number) <= to
      ? undefined
      : `an integer from ${String(from)} to ${String(to)}${unit}`
}
