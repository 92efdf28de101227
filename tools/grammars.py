"""What a definition looks like in each language: node types of the grammars, as data.

Owns the grammars' loading and their vocabulary. Must not know what a symbol is used for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import Language, Node


@dataclass(frozen=True, slots=True)
class Grammar:
    """One language: where its definitions are and what surrounds them."""

    module: str
    loader: str = "language"
    functions: frozenset[str] = frozenset()
    """Definitions whose inside is private: they are not descended into."""
    types: frozenset[str] = frozenset()
    """Definitions that qualify the names inside them."""
    variables: frozenset[str] = frozenset()
    imports: frozenset[str] = frozenset()
    preamble: frozenset[str] = frozenset()
    """What may stand before a module's imports, beside comments."""
    wrappers: Mapping[str, str] = field(default_factory=dict)
    """Nodes that widen the definition inside them, as decorators do; the field it is in."""
    blocks: frozenset[str] = frozenset()
    """Nodes that are looked into and leave no trace in a name."""
    scopes: frozenset[str] = frozenset()
    """Nodes that qualify the names inside them and are no definition, as Rust's `impl`."""
    marks: frozenset[str] = frozenset()
    """Siblings before a definition that belong to it, as Rust's attributes."""
    comment: bytes = b"//"


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_JAVASCRIPT = Grammar(
    "tree_sitter_javascript",
    functions=_set("function_declaration generator_function_declaration method_definition"),
    types=_set("class_declaration"),
    variables=_set(
        "lexical_declaration variable_declaration field_definition expression_statement"
    ),
    imports=_set("import_statement"),
    preamble=_set("expression_statement hash_bang_line"),
    wrappers={"export_statement": "declaration"},
    blocks=_set("class_body"),
    marks=_set("decorator"),
)
_TYPESCRIPT = Grammar(
    "tree_sitter_typescript",
    "language_typescript",
    functions=_JAVASCRIPT.functions
    | _set("function_signature method_signature abstract_method_signature"),
    types=_JAVASCRIPT.types
    | _set("abstract_class_declaration interface_declaration enum_declaration")
    | _set("internal_module module"),
    variables=_JAVASCRIPT.variables | _set("public_field_definition type_alias_declaration"),
    imports=_JAVASCRIPT.imports,
    preamble=_JAVASCRIPT.preamble,
    wrappers={"export_statement": "declaration", "ambient_declaration": ""},
    blocks=_set("class_body statement_block interface_body"),
    marks=_set("decorator"),
)
GRAMMARS: Mapping[str, Grammar] = {
    "python": Grammar(
        "tree_sitter_python",
        functions=_set("function_definition"),
        types=_set("class_definition"),
        variables=_set("expression_statement type_alias_statement"),
        imports=_set("import_statement import_from_statement future_import_statement"),
        preamble=_set("expression_statement"),
        wrappers={"decorated_definition": "definition"},
        blocks=_set(
            "block if_statement elif_clause else_clause try_statement except_clause "
            "except_group_clause finally_clause with_statement match_statement case_clause"
        ),
        comment=b"#",
    ),
    "javascript": _JAVASCRIPT,
    "typescript": _TYPESCRIPT,
    "tsx": replace(_TYPESCRIPT, loader="language_tsx"),
    "go": Grammar(
        "tree_sitter_go",
        functions=_set("function_declaration method_declaration"),
        types=_set("type_spec type_alias"),
        variables=_set("const_spec var_spec"),
        imports=_set("import_declaration"),
        preamble=_set("package_clause"),
        wrappers={
            "type_declaration": "",
            "const_declaration": "",
            "var_declaration": "",
        },
        blocks=_set("var_spec_list"),
    ),
    "rust": Grammar(
        "tree_sitter_rust",
        functions=_set("function_item function_signature_item macro_definition"),
        types=_set("struct_item enum_item union_item trait_item mod_item"),
        variables=_set("const_item static_item type_item associated_type"),
        imports=_set("use_declaration extern_crate_declaration"),
        preamble=_set("inner_attribute_item attribute_item mod_item"),
        blocks=_set("declaration_list"),
        scopes=_set("impl_item"),
        marks=_set("attribute_item"),
    ),
    "java": Grammar(
        "tree_sitter_java",
        functions=_set(
            "method_declaration constructor_declaration compact_constructor_declaration"
        ),
        types=_set(
            "class_declaration interface_declaration enum_declaration record_declaration "
            "annotation_type_declaration"
        ),
        variables=_set("field_declaration constant_declaration"),
        imports=_set("import_declaration"),
        preamble=_set("package_declaration"),
        blocks=_set(
            "class_body interface_body enum_body enum_body_declarations annotation_type_body"
        ),
    ),
    "c": Grammar(
        "tree_sitter_c",
        functions=_set("function_definition preproc_function_def"),
        types=_set("struct_specifier union_specifier enum_specifier type_definition"),
        variables=_set("declaration preproc_def"),
        imports=_set("preproc_include"),
        preamble=_set("preproc_def preproc_call"),
        blocks=_set(
            "preproc_ifdef preproc_if preproc_else preproc_elif linkage_specification "
            "declaration_list"
        ),
    ),
}

ENDINGS: Mapping[str, str] = {
    "py": "python",
    "pyi": "python",
    "pyw": "python",
    "js": "javascript",
    "jsx": "javascript",
    "mjs": "javascript",
    "cjs": "javascript",
    "ts": "typescript",
    "mts": "typescript",
    "cts": "typescript",
    "tsx": "tsx",
    "go": "go",
    "rs": "rust",
    "java": "java",
    "c": "c",
    "h": "c",
}


@cache
def load(language: str) -> Language:
    """The compiled grammar."""
    # 15 ms, and 1 to 5 ms for a grammar; only needed when a file of that language is parsed
    from tree_sitter import Language

    grammar = GRAMMARS[language]
    return Language(getattr(import_module(grammar.module), grammar.loader)())


def names(node: Node) -> tuple[Node, ...]:
    """The nodes that name what a definition defines; none for a statement that defines nothing."""
    match node.type:
        case "expression_statement":
            return _assigned(node)
        case "type_alias_statement":
            left = node.child_by_field_name("left")
            return () if left is None else _only(_first_identifier(left))
        case "lexical_declaration" | "variable_declaration" | "field_declaration":
            parts = [child for child in node.named_children if child.type == "variable_declarator"]
            found = (part.child_by_field_name("name") for part in parts)
            return tuple(name for name in found if name is not None and "pattern" not in name.type)
        case "constant_declaration":
            part = node.child_by_field_name("declarator")
            return () if part is None else _only(part.child_by_field_name("name"))
        case "const_spec" | "var_spec":
            return tuple(node.children_by_field_name("name"))
        case "field_definition":
            return _only(node.child_by_field_name("property"))
        case "function_definition" | "type_definition" | "declaration" if (
            inner := node.child_by_field_name("declarator")
        ):
            return _only(_declared(inner))
        case "struct_specifier" | "union_specifier" | "enum_specifier":
            body = node.child_by_field_name("body")
            return () if body is None else _only(node.child_by_field_name("name"))
        case _:
            return _only(node.child_by_field_name("name"))


def owner(node: Node) -> Node | None:
    """The type that a method written outside it belongs to (Go), or that an `impl` is for."""
    outside = node.child_by_field_name("receiver" if "method" in node.type else "type")
    return None if outside is None else _first_identifier(outside, "type_identifier")


def is_function_value(node: Node, name: Node) -> bool:
    """Whether a variable holds a function: `const f = () => …`, `exports.f = function …`."""
    holder = name.parent or node
    if holder.type == "member_expression":
        holder = holder.parent or node
    value = holder.child_by_field_name("value") or holder.child_by_field_name("right")
    if holder.type == "function_declarator":  # a prototype in C
        return True
    return value is not None and value.type in (
        "arrow_function",
        "function_expression",
        "generator_function",
    )


def _only(node: Node | None) -> tuple[Node, ...]:
    return () if node is None else (node,)


def _assigned(node: Node) -> tuple[Node, ...]:
    """The plain names on the left of an assignment; the dotted ones that hold a function in JS."""
    found: list[Node] = []
    part = node.named_children[0] if node.named_children else None
    while part is not None and part.type in ("assignment", "assignment_expression"):
        left = part.child_by_field_name("left")
        if left is not None:
            if left.type == "identifier":
                found.append(left)
            elif left.type in ("pattern_list", "tuple_pattern", "list_pattern"):
                found += [child for child in left.named_children if child.type == "identifier"]
            elif left.type == "member_expression":
                last = left.child_by_field_name("property")
                if last is not None and is_function_value(part, last):
                    found.append(last)
        part = part.child_by_field_name("right")
    return tuple(found)


def _declared(node: Node) -> Node | None:
    """The identifier inside C's declarators: `*name(int)`, `name[3]`, `name = 1`."""
    inner: Node | None = node
    while inner is not None and not inner.type.endswith("identifier"):
        inner = inner.child_by_field_name("declarator") or next(
            (child for child in inner.named_children if "declarator" in child.type),
            None,
        )
    return inner


def _first_identifier(node: Node, kind: str = "identifier") -> Node | None:
    stack = [node]
    while stack:
        part = stack.pop()
        if part.type == kind:
            return part
        stack.extend(reversed(part.named_children))
    return None
