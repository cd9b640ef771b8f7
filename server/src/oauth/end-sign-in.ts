/** Logout at the engine's endpoint ends the sign-in itself, not only what the engine remembers of it. */
import type { KoaContextWithOIDC, Provider } from 'oidc-provider'
import { evidence } from './evidence.ts'
import type { People } from './people.ts'

export function endSignInAtLogout(provider: Provider, people: People): void {
  provider.use(async (koaContext, next) => {
    await next()
    const ctx = koaContext as unknown as KoaContextWithOIDC
    if (ctx.status !== 303 || ctx.oidc?.route !== 'end_session_confirm') return
    if (ctx.oidc.params?.['logout'] === undefined) return
    await people.signOut({ headers: ctx.req.headers, ip: evidence().ip })
  })
}
