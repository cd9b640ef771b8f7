/** One-time codes of an account: turning them on with a QR code, what there is, new recovery codes, turning them off. */
import { html, Markup, type RenderedPage } from '../../http/index.ts'
import type { SecondFactorState } from '../one-time-codes/code-store.ts'
import { accountPage, type OwnPlace, buttonForm, dayInWords } from './account-page.ts'
import { type FormPlace, formStart } from './parts-page.ts'

export interface OneTimeCodesView extends OwnPlace {
  readonly state: SecondFactorState | undefined
  /** For turning them on: sealed for this session; shown, and drawn. */
  readonly offer: CodeOffer | undefined
  readonly problem?: string | undefined
}

export interface CodeOffer {
  readonly sealedSecret: string
  readonly secretInWords: string
  /** SVG that we made ourselves. */
  readonly qrSvg: string
}

export function oneTimeCodesPage(view: OneTimeCodesView): RenderedPage {
  const { action, state, offer, problem } = view
  return accountPage({
    path: action,
    back: view.back,
    title: 'Second factor',
    problem,
    body: html`<p>
        With a second factor, your password alone opens nothing: a code of another device is asked for as
        well.
      </p>
      ${state && isOn(view, state)} ${offer && turnOn(view, offer)}`,
  })
}

function isOn(place: FormPlace, { createdAtMs, lastUsedAtMs, recoveryCodesLeft }: SecondFactorState): Markup {
  return html`<ul class="things">
    <li>
      <p><strong>Authenticator app</strong></p>
      <p class="faint">
        On since ${dayInWords(createdAtMs)},
        ${lastUsedAtMs === null ? 'never used since' : `last used ${dayInWords(lastUsedAtMs)}`}
      </p>
      ${buttonForm(place, { name: 'do', value: 'disable', label: 'Turn it off', about: 'the second factor' })}
    </li>
    <li>
      <p><strong>Recovery codes</strong></p>
      <p class="faint">${recoveryCodesLeft} left</p>
      ${buttonForm(place, { name: 'do', value: 'renew', label: 'Make new ones', about: 'recovery codes' })}
    </li>
  </ul>`
}

function turnOn(place: FormPlace, { sealedSecret, secretInWords, qrSvg }: CodeOffer): Markup {
  return html`<h2>Turn it on</h2>
    <p>Scan this with an authenticator app, or type the key into it.</p>
    <div class="qr" role="img" aria-label="The key as a QR code">${new Markup(qrSvg)}</div>
    <p>Key: <code>${secretInWords}</code></p>
    <form method="post" action="${place.action}">
      ${formStart(place)} <input type="hidden" name="secret" value="${sealedSecret}" />
      <div class="field">
        <label for="code">The six digits that the app shows</label>
        <input
          id="code"
          name="code"
          type="text"
          inputmode="numeric"
          autocomplete="one-time-code"
          maxlength="20"
          required
        />
      </div>
      <button type="submit" name="do" value="enable">Turn on</button>
    </form>`
}

/** Shown once: nobody can show them again. */
export function recoveryCodesPage({ action: path, back }: OwnPlace, codes: readonly string[]): RenderedPage {
  return accountPage({
    path,
    back,
    title: 'Recovery codes',
    body: html`<div class="note">
        <p>
          <strong>Keep these codes now.</strong> They are shown once. Print them, or put them where your
          passwords are.
        </p>
      </div>
      <ul class="codes">
        ${codes.map((code) => html`<li>${code}</li>`)}
      </ul>
      <p>Each of them signs you in once, with your password, when the other device is lost.</p>
      <p><a href="${path}">I have kept them</a></p>`,
  })
}
