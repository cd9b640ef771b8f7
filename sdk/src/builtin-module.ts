/** A module of the runtime itself, looked for at run time, so that bundlers for other runtimes have nothing to resolve. */

/** Undefined where there is none: edge runtimes have a `process` whose members throw when they are called. */
export function builtinModule(name: string): unknown {
  try {
    return globalThis.process?.getBuiltinModule?.(name)
  } catch {
    return undefined
  }
}
