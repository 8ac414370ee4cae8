/**
 * A promise that notices when its user begins to wait for it: one that has only been taken may be awaited later, after
 * other work. `await` asks `then()` of every promise that is not a plain one, and so do `race()` and `all()`.
 */
export class AwaitedPromise<T> extends Promise<T> {
  /** What `then()` returns is a plain one. */
  static override get [Symbol.species](): PromiseConstructor {
    return Promise
  }

  readonly #onAwaited: () => void

  /** Settles as `source` does. */
  constructor(source: Promise<T>, onAwaited: () => void) {
    super((resolve, reject) => source.then(resolve, reject))
    this.#onAwaited = onAwaited
  }

  override then<Result = T, Otherwise = never>(
    onFulfilled?: ((value: T) => Result | PromiseLike<Result>) | null,
    onRejected?: ((reason: unknown) => Otherwise | PromiseLike<Otherwise>) | null,
  ): Promise<Result | Otherwise> {
    this.#onAwaited()
    return super.then(onFulfilled, onRejected)
  }
}
