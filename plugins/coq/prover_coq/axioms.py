"""The axioms that the standard library itself states: a proof may rest on them, and the verdict names them.

Listed one by one, with the reason why each is accepted, from the sources of Coq 8.16, Coq 8.20 and Rocq 9.2.
All are believed consistent with Coq's logic, together too (``Set`` being predicative). What is *not* here,
though the library holds it, is no proof: above all ``Compat.AdmitAxiom.proof_admitted : False``.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["GROUPS", "LIBRARY_ROOTS", "STDLIB_AXIOMS", "AxiomGroup", "library_axioms"]

LIBRARY_ROOTS = ("Coq", "Corelib", "Stdlib")
"""First part of the full names in Coq's own library; since Rocq 9.0 it is split into the last two."""


@dataclass(frozen=True, slots=True)
class AxiomGroup:
    """Axioms of one library file that are accepted for the same reason."""

    library: str
    """Without the root: ``Logic.Classical_Prop``."""
    names: tuple[str, ...]
    reason: str


def _group(library: str, names: str, reason: str) -> AxiomGroup:
    return AxiomGroup(library, tuple(names.split()), reason)


_INT63 = "primitive 63-bit integers: the machine's arithmetic, and what the library states about it"
_FLOAT = "primitive floating-point numbers: the machine's arithmetic, and what the library states about it"
_ARRAY = "primitive persistent arrays, and what the library states about them"
_STRING = "primitive strings, and what the library states about them"

_UINT63_FACTS = (
    "of_to_Z lsl_spec lsr_spec land_spec lor_spec lxor_spec add_spec sub_spec mul_spec mulc_spec div_spec "
    "mod_spec eqb_correct eqb_refl ltb_spec leb_spec compare_def_spec head0_spec tail0_spec addc_def_spec "
    "addcarryc_def_spec subc_def_spec subcarryc_def_spec diveucl_def_spec diveucl_21_spec addmuldiv_def_spec"
)
_SINT63_FACTS = "asr_spec div_spec mod_spec ltb_spec leb_spec compare_spec"
_ARRAY_OPERATIONS = "array make get default set length copy max_length"
_ARRAY_FACTS = (
    "get_out_of_bounds get_set_same get_set_other default_set get_make leb_length length_make length_set "
    "get_copy length_copy array_ext"
)

GROUPS: tuple[AxiomGroup, ...] = (
    _group("Logic.Classical_Prop", "classic", "excluded middle: classical logic"),
    _group(
        "Logic.FunctionalExtensionality",
        "functional_extensionality_dep",
        "functions that agree everywhere are equal",
    ),
    _group("Logic.PropExtensionality", "propositional_extensionality", "equivalent propositions are equal"),
    _group("Logic.ProofIrrelevance", "proof_irrelevance", "any two proofs of a proposition are equal"),
    _group("Logic.Eqdep", "Eq_rect_eq.eq_rect_eq", "uniqueness of identity proofs (Streicher's K)"),
    _group("Logic.JMeq", "JMeq_eq", "heterogeneous equality at one type is equality (follows from K)"),
    _group("Logic.Description", "constructive_definite_description", "definite description"),
    _group("Logic.IndefiniteDescription", "constructive_indefinite_description", "choice"),
    _group("Logic.ClassicalEpsilon", "constructive_indefinite_description", "choice, beside classical logic"),
    _group("Logic.Epsilon", "epsilon_statement", "Hilbert's epsilon: a form of choice"),
    _group("Logic.RelationalChoice", "relational_choice", "choice for relations"),
    _group("Logic.ClassicalUniqueChoice", "dependent_unique_choice", "unique choice, beside classical logic"),
    _group(
        "Logic.ExtensionalFunctionRepresentative",
        "extensional_function_representative",
        "a canonical representative of extensionally equal functions",
    ),
    _group("Sets.Ensembles", "Extensionality_Ensembles", "sets with the same members are equal"),
    _group(
        "Reals.ClassicalDedekindReals",
        "sig_forall_dec sig_not_dec",
        "limited principle of omniscience and decidable negation: what the real numbers are built on",
    ),
    _group(
        "Numbers.Cyclic.Int63.PrimInt63",
        "int lsl lsr land lor lxor asr add sub mul mulc div mod divs mods eqb ltb leb ltsb lesb addc "
        "addcarryc subc subcarryc diveucl diveucl_21 addmuldiv compare compares head0 tail0",
        _INT63,
    ),
    _group("Numbers.Cyclic.Int63.Uint63", _UINT63_FACTS, _INT63),
    _group("Numbers.Cyclic.Int63.Uint63Axioms", _UINT63_FACTS, _INT63),
    _group("Numbers.Cyclic.Int63.Sint63", _SINT63_FACTS, _INT63),
    _group("Numbers.Cyclic.Int63.Sint63Axioms", _SINT63_FACTS, _INT63),
    _group(
        "Floats.PrimFloat",
        "float classify abs sqrt opp eqb ltb leb compare Leibniz.eqb mul add sub div of_uint63 "
        "normfr_mantissa frshiftexp ldshiftexp next_up next_down",
        _FLOAT,
    ),
    _group(
        "Floats.FloatAxioms",
        "Prim2SF_valid SF2Prim_Prim2SF Prim2SF_SF2Prim opp_spec abs_spec eqb_spec ltb_spec leb_spec "
        "compare_spec Leibniz.eqb_spec classify_spec mul_spec add_spec sub_spec div_spec sqrt_spec "
        "of_uint63_spec normfr_mantissa_spec frshiftexp_spec ldshiftexp_spec next_up_spec next_down_spec",
        _FLOAT,
    ),
    _group("Array.PArray", f"{_ARRAY_OPERATIONS} {_ARRAY_FACTS}", _ARRAY),
    _group("Array.PrimArray", _ARRAY_OPERATIONS, _ARRAY),
    _group("Array.ArrayAxioms", _ARRAY_FACTS, _ARRAY),
    _group("Strings.PrimString", "string max_length make length get sub cat compare", _STRING),
    _group(
        "Strings.PrimStringAxioms",
        "of_to_list to_list_length to_list_char63_valid length_spec get_spec make_spec sub_spec cat_spec "
        "compare_spec",
        _STRING,
    ),
)


def library_axioms(*roots: str) -> frozenset[str]:
    """Full names of the accepted axioms below these roots (of :data:`LIBRARY_ROOTS`)."""
    return frozenset(
        f"{root}.{group.library}.{name}" for root in roots for group in GROUPS for name in group.names
    )


STDLIB_AXIOMS: frozenset[str] = library_axioms(*LIBRARY_ROOTS)
"""Full names, under every root that a version of Coq uses."""
