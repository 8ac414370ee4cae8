/** Functions that another thread offers: the types of both sides. */

/**
 * Functions that one thread offers and another calls: `F extends HostFunctions<F>` takes interfaces as well as types.
 * Their arguments and results are copied as by `structuredClone()`. An error arrives with its name, message, code,
 * stack and cause. `then`, `toJSON` and the names that every object has, such as `toString`, are never called.
 */
export type HostFunctions<F> = { readonly [Name in keyof F]: (...args: never[]) => unknown }

/** Any functions at all: what is called is found out when it is. */
export type AnyFunctions = Readonly<Record<string, (...args: unknown[]) => unknown>>

/**
 * `F` as the other thread sees it: each call returns a promise. JavaScript itself asks every object for `then` and
 * `toJSON`, so they are left out.
 */
export type RemoteFunctions<F> = {
  readonly [Name in keyof F as Exclude<Name, symbol | 'then' | 'toJSON'>]: NonNullable<F[Name]> extends (
    ...args: infer Args extends readonly unknown[]
  ) => infer Result
    ? (...args: Args) => Promise<Awaited<Result>>
    : never
}
