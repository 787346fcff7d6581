"""Classes whose implementation can be chosen at run time, for a whole program."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from eyewall.base.objects import import_object


class Configurable:
    """An interface that makes an instance of a configured subclass when it is instantiated.

    A hierarchy has a base (`configurable_base`), a default implementation (`configurable_default`), and what
    `configure` chose. Instantiating the base makes an instance of the chosen class, with the keyword
    arguments that were configured with it; a subclass that is instantiated by its own name is taken as it
    is. A chosen class may be the base of another such hierarchy.

    Subclasses define `initialize` in place of `__init__`, which Python calls too, with the same arguments.
    """

    # Of a base: what was chosen for it, and with which arguments. Set on the base only, never inherited from.
    __chosen: ClassVar[type[Configurable] | None] = None
    __arguments: ClassVar[dict[str, Any] | None] = None

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """Makes an instance of `cls`, or where that is a base, of what is configured for it."""
        target: type[Configurable] = cls
        arguments: dict[str, Any] = {}
        # Each round goes from a base to what is chosen for it. Every base comes at most once.
        seen: set[type[Configurable]] = set()
        while target is target.configurable_base() and target not in seen:
            seen.add(target)
            arguments.update(target.__own("_Configurable__arguments") or {})
            target = target.configured_class()
        arguments.update(kwargs)
        instance = object.__new__(target)
        instance.initialize(*args, **arguments)
        return instance

    @classmethod
    def configurable_base(cls) -> type[Any]:
        """Returns the class that the configuration belongs to, normally the one that defines this method."""
        raise NotImplementedError(f"{cls.__name__} does not say what its configurable_base is")

    @classmethod
    def configurable_default(cls) -> type[Any]:
        """Returns the implementation to use where none is configured."""
        raise NotImplementedError(f"{cls.__name__} does not say what its configurable_default is")

    if TYPE_CHECKING:
        # Implementations take what arguments they like, which a signature here would forbid.
        initialize: Callable[..., None]
    else:

        def initialize(self):
            """Takes the constructor's arguments; those with a default can be given by `configure` too."""

    @classmethod
    def configure(cls, impl: str | type[Configurable] | None, **kwargs: Any) -> None:
        """Chooses the class that is used when the base is instantiated.

        `impl` is a subclass, or its full name, or None for the default one. `kwargs` are passed to its
        `initialize` by every instantiation of the base. Raises ValueError for a class that is no subclass.
        """
        base = cls.configurable_base()
        chosen = import_object(impl) if isinstance(impl, str) else impl
        if chosen is not None and not (isinstance(chosen, type) and issubclass(chosen, cls)):
            raise ValueError(f"Invalid subclass of {cls.__name__}: {chosen!r}")
        base._restore_configuration((chosen, kwargs))

    @classmethod
    def configured_class(cls) -> type[Any]:
        """Returns the class that is chosen, or the default one."""
        base = cls.configurable_base()
        chosen: type[Any] | None = base.__own("_Configurable__chosen")
        if chosen is None:
            # Kept, so that what looks for the best implementation looks once.
            chosen = cls.configurable_default()
            base.__chosen = chosen
        return chosen

    @classmethod
    def __own(cls, name: str) -> Any:
        return cls.__dict__.get(name)

    # The test suites of applications save and restore what they configure by these two names.

    @classmethod
    def _save_configuration(cls) -> tuple[type[Configurable] | None, dict[str, Any] | None]:
        base = cls.configurable_base()
        return base.__own("_Configurable__chosen"), base.__own("_Configurable__arguments")

    @classmethod
    def _restore_configuration(cls, saved: tuple[type[Configurable] | None, dict[str, Any] | None]) -> None:
        base = cls.configurable_base()
        base.__chosen, base.__arguments = saved
