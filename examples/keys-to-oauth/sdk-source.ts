/** For the test, with `node --import`: the SDK as it stands in `sdk/src`, whether or not it was built. */
import { registerHooks } from 'node:module'

const SDK = new URL('../../sdk/src/', import.meta.url)

registerHooks({
  resolve(specifier, context, next) {
    const [, adapter] = /^@postern\/sdk(?:\/(\w+))?$/.exec(specifier) ?? []
    if (!specifier.startsWith('@postern/sdk')) return next(specifier, context)
    const file = adapter === undefined ? 'index.ts' : `adapters/${adapter}.ts`
    return { url: new URL(file, SDK).href, shortCircuit: true }
  },
})
