"""How pages look: the product's tokens for light, dark and high contrast, and one style sheet made of them."""

from collections.abc import Mapping
from typing import Final

LIGHT: Final[Mapping[str, str]] = {
    "paper": "#F1F4F1", "sheet": "#FFFFFF", "ink": "#101A1A", "ink-2": "#3F4B49", "ink-3": "#5B6764",
    "line": "#D6DDD9", "line-2": "#B4BFBA", "act": "#00665A", "act-wash": "#DCEBE7", "text-act": "#00665A",
    "text-fault": "#AF2B13", "text-cold": "#145F9F", "text-laps": "#7E5000", "wash-fault": "#FBE6E0",
    "m-land": "#EEF1ED", "m-road": "#FFFFFF", "m-halo": "#EEF1ED",
}  # fmt: skip
DARK: Final[Mapping[str, str]] = {
    "paper": "#0B1112", "sheet": "#121A1B", "ink": "#EDF2EF", "ink-2": "#B3BFBB", "ink-3": "#8A9794",
    "line": "#212C2D", "line-2": "#384645", "act": "#5AD3B6", "act-wash": "#12312C", "text-act": "#5AD3B6",
    "text-fault": "#FF8E74", "text-cold": "#86C6F8", "text-laps": "#F7BC55", "wash-fault": "#2D1712",
    "m-land": "#0F1718", "m-road": "#233132", "m-halo": "#0F1718",
}  # fmt: skip
CONTRAST: Final[Mapping[str, str]] = {
    **dict.fromkeys(("paper", "sheet", "act-wash", "wash-fault", "m-land", "m-halo"), "#000000"),
    **dict.fromkeys(("ink", "ink-2", "ink-3", "line", "line-2", "text-fault", "text-cold", "text-laps"), "#FFFFFF"),
    "act": "#FFE100", "text-act": "#FFE100", "m-road": "#3A3A3A",
}  # fmt: skip
"""The colours of the product's design, by what they are for."""


def _tokens(colours: Mapping[str, str]) -> str:
    return ":root{" + ";".join(f"--{name}:{colour}" for name, colour in colours.items()) + "}"


_RULES: Final = """
:root{color-scheme:light dark;
--font:Archivo,"Helvetica Neue",Arial,"Noto Sans","Noto Sans Arabic","Noto Sans Hebrew",sans-serif}
*{box-sizing:border-box;margin:0}
body{background:var(--paper);color:var(--ink);font:400 15px/1.45 var(--font);font-variant-numeric:tabular-nums;
-webkit-text-size-adjust:100%}
main,header,footer{max-width:1400px;margin-inline:auto;padding-inline:20px}
header{padding-block:32px 24px}
h1,h2,h3{letter-spacing:-.015em;text-wrap:balance;overflow-wrap:anywhere}
h1{font:600 30px/1.12 var(--font);letter-spacing:-.025em;margin-block:6px 8px;max-width:30em}
h2{font:600 21px/1.2 var(--font);margin-block-end:4px}
h3{font:600 16px/1.3 var(--font)}
p{max-width:68ch}
.label{font:500 13px/1.4 var(--font);color:var(--ink-3)}
.said{font:400 13px/1.4 var(--font);color:var(--ink-2)}
section{border-block-start:2px solid var(--ink);padding-block:12px 32px;min-width:0}
.unmet{border-block-start:0;border-inline-start:4px solid var(--text-fault);background:var(--wash-fault);
padding:16px 20px;margin-block-end:24px}
.unmet h2{color:var(--text-fault)}
.top,.van{display:grid;grid-template-columns:minmax(0,1fr);gap:0 32px}
.plots{columns:400px 3;column-gap:32px}
.plots>*{break-inside:avoid}
.plot{max-width:520px;padding-block-start:12px}
svg{display:block;width:100%;height:auto;overflow:visible}
svg.map{overflow:hidden;border-radius:2px;background:var(--m-land)}
.frame{margin-block:12px 8px}
.scroll{overflow-x:auto;margin-block:8px 0}
table{width:100%;border-collapse:collapse}
th{font:400 13px/1.35 var(--font);color:var(--ink-2);text-align:end;vertical-align:bottom;padding:0 0 8px 14px}
td{border-block-start:1px solid var(--line);text-align:end;padding:9px 0 9px 14px;font:500 15px/1.25 var(--font);
vertical-align:top}
td:first-child,th:first-child{text-align:start;padding-inline-start:0}
td:first-child{font:400 14px/1.35 var(--font);color:var(--ink-2)}
td small,th small{display:block;font:400 12px/1.3 var(--font);color:var(--ink-3)}
td.word,th.word{text-align:start}
td.word{font-weight:400}
td:not(:first-child,.word){white-space:nowrap}
.on{background:var(--act-wash);padding-inline-end:12px}
th.on{color:var(--text-act);font-weight:600;padding-block-start:8px;border-radius:8px 8px 0 0}
td.on{font-weight:650}
tr:last-child>td.on{border-radius:0 0 8px 8px}
.many td{padding-block:6px;font-size:14px}
.key{display:flex;flex-wrap:wrap;gap:8px 20px;font:400 13px/1.4 var(--font);color:var(--ink-2);list-style:none;
padding:0;margin-block:8px 0}
.key li{display:flex;align-items:center;gap:8px}
.key svg{width:auto;flex:none}
ul.said{padding-inline-start:20px;max-width:72ch}
.said li{margin-block:5px}
details{margin-block-start:8px}
summary{font:500 13px/1.4 var(--font);color:var(--text-act);min-height:44px;display:flex;align-items:center;
cursor:pointer;width:fit-content}
summary::marker{content:""}
summary::before{content:"+";margin-inline-end:8px;font-weight:650}
details[open]>summary::before{content:"−"}
:focus-visible{outline:3px solid var(--act);outline-offset:2px}
footer{border-block-start:1px solid var(--line);padding-block:16px 48px;color:var(--ink-3);font-size:13px}
svg text{font:500 12px/1 var(--font);fill:var(--ink-2);unicode-bidi:isolate}
svg .strong{font-weight:650;fill:var(--ink)}
svg .own{font-weight:650;fill:var(--text-act)}
svg .start{text-anchor:start} svg .end{text-anchor:end} svg .mid{text-anchor:middle}
.rule{stroke:var(--ink);stroke-width:1.5;fill:none} .grid{stroke:var(--line-2);stroke-width:.75;fill:none}
.then{stroke:var(--ink-3);stroke-width:1.5;fill:none;stroke-dasharray:5 3}
.now{fill:var(--act)} .nowline{stroke:var(--act);stroke-width:2;fill:none}
.was{fill:var(--paper);stroke:var(--ink);stroke-width:1.75}
.second{fill:var(--line-2)}
.third{fill:none;stroke:var(--line-2);stroke-width:1}
.hatch{stroke:var(--ink);stroke-width:1.4}
.road{fill:none;stroke:var(--m-road);stroke-linecap:round;stroke-linejoin:round}
.near{fill:none;stroke:var(--act);stroke-linecap:round;stroke-linejoin:round}
.cell{fill:var(--ink)}
.kept{fill:var(--ink);stroke:var(--m-halo);stroke-width:1.5}
.opened{fill:var(--act);stroke:var(--m-halo);stroke-width:1.5}
.closed{fill:var(--m-land);stroke:var(--ink-2);stroke-width:1.75;stroke-dasharray:3 2}
.crossed{stroke:var(--ink-2);stroke-width:1.75}
.tour{fill:none;stroke-width:2.6;stroke-linejoin:round;stroke-linecap:round}
.stop{fill:var(--m-halo);stroke:var(--ink);stroke-width:1.5}
.depot{fill:var(--ink);stroke:var(--m-halo);stroke-width:1.5}
.map .onstop{stroke:none;fill:var(--ink);font-size:17px} .map .large{font-size:18px}
.map text:not(.onstop){paint-order:stroke;stroke:var(--m-halo);stroke-width:3px;stroke-linejoin:round}
@media(min-width:720px){main,header,footer{padding-inline:32px}}
@media(min-width:1120px){.top{grid-template-columns:minmax(0,1.5fr) minmax(0,1fr)}
.van{grid-template-columns:minmax(0,1fr) minmax(0,1.6fr)}}
@media(max-width:719px){td,th{padding-inline-start:10px}}
@media print{body{background:none}section,.frame{break-inside:avoid}}
"""

STYLE: Final = (
    _tokens(LIGHT)
    + f"@media screen and (prefers-color-scheme:dark){{{_tokens(DARK)}}}"
    + f"@media screen and (prefers-contrast:more){{{_tokens(CONTRAST)}}}"
    + _RULES.replace("\n", "")
)
"""The style sheet of every page."""
