"""What the pages hold that Sphinx alone would fetch from the network when they are read: formulas and diagrams.

Formulas become MathML and diagrams SVG when the site is built, so that its pages need nothing but themselves.
"""

from __future__ import annotations

import re
from typing import Any

import mermaidx
from docstrings import restructured
from docutils import nodes
from docutils.parsers.rst import Directive
from latex2mathml.converter import convert
from reference import is_ours, public
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.docutils import SphinxRole

# Public names as pages write them. Those that are common words stand for methods and parameters as well.
PLAIN = {path: path for path in public() if path.count(".") == 1}
PLAIN |= {short: path for path in PLAIN if re.search("[A-Z_]", short := path.rpartition(".")[2])}

# What `NDArray[…]` is made of. A line with an expression that Python does not know is left as it is, paths and all.
ARRAY = re.compile(r"~?(?:numpy\.)?ndarray\[tuple\[~?(?:typing\.)?Any, \.\.\.\], ~?(?:numpy\.)?dtype\[(.+?)\]\]")


class Diagram(Directive):
    """A block of Mermaid, drawn."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        # A column of text is too narrow for what goes from left to right; repository pages zoom, these do not.
        source = re.sub(r"^flowchart LR", "flowchart TB", "\n".join(self.content))
        self.state.document.settings.env.diagrams = number = getattr(self.env, "diagrams", 0) + 1
        svg = mermaidx.render(source, theme="neutral").svg().replace("my-svg", f"diagram-{number}")
        width = re.search(r'viewBox="0 0 ([\d.]+)', svg)
        if width is None:
            raise self.error(f"expected a drawing, got {svg[:80]!r} of {source!r}")
        svg = svg.replace('width="100%"', f'width="{float(width[1]):.0f}"', 1)
        return [nodes.raw("", f'<div class="diagram" role="img">{svg}</div>', format="html")]

    @property
    def env(self) -> Any:
        return self.state.document.settings.env


class Known(SphinxRole):
    """Code, and a link where the reference documents a name like it."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        code = nodes.literal(self.text, self.text, classes=["xref"])
        target = self.text.removesuffix("()")
        if not re.fullmatch(r"[A-Za-z_][\w.]*", target):
            return [code], []
        link = pending_xref("", code, refdomain="py", reftype="obj", reftarget=target, refdoc=self.env.docname)
        link["py:module"] = self.env.ref_context.get("py:module")
        link["py:class"] = self.env.ref_context.get("py:class")
        return [link], []


class Names(SphinxPostTransform):
    """Links from code on the pages to the reference, where it is a public name that can mean nothing else."""

    default_priority = 5  # before references are resolved

    def run(self, **kwargs: Any) -> None:
        if self.env.docname.startswith("reference/"):
            return
        for code in list(self.document.findall(nodes.literal)):
            path = PLAIN.get(code.astext().removesuffix("()"))
            if path and not isinstance(code.parent, nodes.reference | pending_xref | nodes.title):
                link = pending_xref("", refdomain="py", reftype="obj", reftarget=path, refdoc=self.env.docname)
                code.replace_self(link)
                link += code


def inline_formula(writer: Any, node: nodes.math) -> None:
    writer.body.append(convert(node.astext()))
    raise nodes.SkipNode


def formula(writer: Any, node: nodes.math_block) -> None:
    source = re.sub(r"\{aligned\}", "{align*}", node.astext())  # the name that the converter knows it by
    writer.body.append(f'<div class="formula">{convert(source, display="block")}</div>')
    raise nodes.SkipNode


def docstring(app: Sphinx, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    lines[:] = restructured("\n".join(lines)).split("\n")


def others(app: Sphinx, what: str, name: str, thing: Any, skip: bool, options: Any) -> bool | None:
    """Leaves out members that the package has not made."""
    return None if is_ours(thing) else True


def signature(app: Sphinx, what: str, name: str, thing: Any, options: Any, text: str, returns: str) -> Any:
    """Types by the names that the code has for them; of what a dataclass makes anew for each object, an ellipsis."""
    return tuple(part and ARRAY.sub(r"NDArray[\1]", part).replace("<factory>", "...") for part in (text, returns))


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("mermaid", Diagram)
    app.add_role("known", Known())
    app.add_post_transform(Names)
    app.add_html_math_renderer("mathml", (inline_formula, None), (formula, None))
    app.connect("autodoc-process-docstring", docstring)
    app.connect("autodoc-process-signature", signature)
    app.connect("autodoc-skip-member", others)
    return {"parallel_read_safe": False, "parallel_write_safe": True}
