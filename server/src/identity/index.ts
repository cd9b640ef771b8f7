/**
 * Identity: people and how they prove who they are. Users and their memberships of tenants, passwords, sessions, and the
 * pages on which somebody signs in, consents and signs out. Passkeys, one-time codes and upstream sign-in join here.
 */
export {
  createIdentity,
  type IdentityContext,
  type IdentityOptions,
  SIGN_IN_RATES,
  type Throttle,
} from './identity-context.ts'
export {
  createUser,
  deleteUser,
  lockedUser,
  setUserDisabled,
  signOutEverywhere,
  updateUser,
  type UserInput,
} from './change-users.ts'
export { removeMembership, setMembership } from './change-memberships.ts'
export { findUser, getUser, listUsers, membershipOf, tenantsOf } from './read-users.ts'
export { scopesOfRoles } from './roles/allowed-scopes.ts'
export { roleRoutes } from './roles/role-routes.ts'
export { setPassword } from './set-password.ts'
export { accountName, displayName, type Membership, type User } from './user.ts'
export { type BrowserRequest, currentSession, findLiveSession, type SignedIn } from './current-session.ts'
export { cookieText } from './cookies.ts'
export { endSession, endUsersSession, signOut } from './end-session.ts'
export { idleEndMs, type Session } from './session.ts'
export { ACR_VALUES, isOurAcr, satisfiesAcr, sufficientAcrs } from './acr.ts'
export { signIn, type SignInInput } from './sign-in.ts'
export type { SignInOutcome } from './sign-in-outcome.ts'
export { resealOneTimeCodes } from './one-time-codes/reseal-codes.ts'
export { providerRoutes } from './upstream/provider-routes.ts'
export { resealProviders } from './upstream/provider-sealer.ts'
export { accountRoutes } from './account-routes.ts'
export { type Browser, BrowserForms, type FormRefusal } from './browser-forms.ts'
export {
  formSchema,
  refuseOtherOrigin,
  showSignIn,
  SIGN_IN_FORM_BYTES,
  SIGN_IN_MEMBERS,
  type SignInFields,
  SignInForm,
  type SignInPlace,
  takeSignIn,
  TokenForm,
} from './sign-in-form.ts'
export { missingFactor } from './stronger/factors.ts'
export { takeStronger } from './stronger/stronger-form.ts'
export type { Application } from './pages/application.ts'
export { consentPage, type ConsentView, type TenantChoice } from './pages/consent-page.ts'
export { isOpenIdScope, type ScopeGroup, scopeInWords, type ScopeView } from './pages/scope-words.ts'
export { signInPage, type SignInProblem, type SignInView } from './pages/sign-in-page.ts'
export { signedInPage, signedOutPage, signOutPage, type SignOutView } from './pages/sign-out-page.ts'
export { pageRoutes } from './page-routes.ts'
export { purgeIdentity } from './purge.ts'
export { userPartsRoutes } from './user-parts-routes.ts'
export { userRoutes } from './user-routes.ts'
