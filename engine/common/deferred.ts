/** A promise that is resolved from outside. */
export class Deferred<T> {
  readonly promise: Promise<T>
  #resolve: (value: T) => void = () => undefined

  constructor() {
    this.promise = new Promise((resolve) => {
      this.#resolve = resolve
    })
  }

  /** Once; later calls do nothing. */
  resolve(value: T): void {
    this.#resolve(value)
  }
}
